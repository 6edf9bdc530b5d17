import { BerthError } from '../errors.js';
import type { SandboxEngine } from '../sandbox/engine.js';
import type { ExecutionRequest } from '../sandbox/execution.js';
import type { Languages } from '../sandbox/languages.js';
import type { Isolation, SandboxLimits, SandboxSpec } from '../sandbox/spec.js';

/** What decides a spec. */
export type SpecRequest = Pick<ExecutionRequest, 'language' | 'version' | 'image' | 'isolation'> & {
  limits: Pick<ExecutionRequest['limits'], 'memoryBytes' | 'cpuMillis' | 'processes' | 'scratchBytes'>;
};

/** How long a resolved image digest is believed before it is looked up again behind the requests. Milliseconds. */
const DIGEST_TTL_MS = 60_000;
const MEMORY_STEP_BYTES = 1024 * 1024;
/** Requests may name any limits: what is remembered of them is bounded. */
const MOST_KNOWN = 1_000;

interface Digest {
  digest: string;
  at: number;
  /** Asked for since it was looked up. */
  used: boolean;
  refreshing: boolean;
}

/**
 * Turns what a request asks for into a spec. Equal requests get the same object while their image's digest is believed, so
 * that the hot path finds its pool without waiting or building a key; `refresh` looks old digests up again in the background.
 */
export class SpecResolver {
  readonly #known = new Map<string, { spec: SandboxSpec; digest: Digest }>();
  readonly #digests = new Map<string, Digest>();
  /** Called when the image behind a name has become another one. */
  onImageChanged: (() => void) | undefined;

  constructor(
    private readonly options: {
      engine: Pick<SandboxEngine, 'resolveImage'>;
      languages: Languages;
      /** Of a request that names none. */
      limits: SandboxLimits;
      now?: () => number;
    },
  ) {}

  /** The spec, when all of it is known already. */
  known(request: SpecRequest): SandboxSpec | undefined {
    const found = this.#known.get(keyOf(request));
    if (found === undefined) return undefined;
    found.digest.used = true;
    return found.spec;
  }

  /** @throws BerthError LANGUAGE_UNKNOWN, IMAGE_NOT_FOUND, DOCKER_UNAVAILABLE */
  async resolve(request: SpecRequest, signal?: AbortSignal): Promise<SandboxSpec> {
    const known = this.known(request);
    if (known !== undefined) return known;
    const { language: name, version, isolation } = request;
    const language = name === '' ? undefined : this.options.languages.resolve(name, version);
    const image = request.image === '' ? language!.image : request.image;
    const spec = await this.ofImage(
      image,
      language === undefined ? [] : [language.name],
      this.#limits(request),
      isolation,
      signal,
    );
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(keyOf(request), { spec, digest: this.#digests.get(image)! });
    return spec;
  }

  async ofImage(
    image: string,
    languages: string[],
    limits: SandboxLimits,
    isolation: Isolation,
    signal?: AbortSignal,
  ): Promise<SandboxSpec> {
    const { digest } = this.#digests.get(image) ?? (await this.#lookUp(image, signal));
    return { image, imageDigest: digest, languages, limits, network: 'none', isolation };
  }

  /** To be called often. */
  refresh(): void {
    const now = this.#now();
    for (const [image, known] of this.#digests) {
      if (known.refreshing || !known.used || now - known.at < DIGEST_TTL_MS) continue;
      known.refreshing = true;
      void this.#lookUpAgain(image, known);
    }
  }

  async #lookUpAgain(image: string, known: Digest): Promise<void> {
    try {
      const { digest } = await this.#lookUp(image);
      if (digest === known.digest) return;
      this.#known.clear();
      this.onImageChanged?.();
    } catch (error) {
      known.refreshing = false;
      // A removed image must not be served from memory; an engine that is away must not forget it.
      if (!(error instanceof BerthError) || error.reason !== 'IMAGE_NOT_FOUND') return;
      this.#digests.delete(image);
      this.#known.clear();
    }
  }

  async #lookUp(image: string, signal?: AbortSignal): Promise<Digest> {
    const digest = await this.options.engine.resolveImage(image, signal);
    const before = this.#digests.get(image);
    const found: Digest = { digest, at: this.#now(), used: true, refreshing: false };
    // What is known of requests points to it.
    if (before?.digest === digest) Object.assign(before, { ...found, used: false });
    else this.#digests.set(image, found);
    return this.#digests.get(image)!;
  }

  #limits({ limits }: SpecRequest): SandboxLimits {
    return {
      ...this.options.limits,
      ...(limits.memoryBytes > 0 && { memoryBytes: roundUp(limits.memoryBytes, MEMORY_STEP_BYTES) }),
      ...(limits.cpuMillis > 0 && { cpuMillis: limits.cpuMillis }),
      ...(limits.processes > 0 && { processes: limits.processes }),
      ...(limits.scratchBytes > 0 && { tmpfsBytes: roundUp(limits.scratchBytes, MEMORY_STEP_BYTES) }),
    };
  }

  #now(): number {
    return (this.options.now ?? Date.now)();
  }
}

function keyOf({ language, version, image, isolation, limits }: SpecRequest): string {
  const { memoryBytes, cpuMillis, processes, scratchBytes } = limits;
  return `${language}|${version}|${image}|${isolation}|${memoryBytes}|${cpuMillis}|${processes}|${scratchBytes}`;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
