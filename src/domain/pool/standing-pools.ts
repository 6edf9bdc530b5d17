import type { Logger } from '../../telemetry/logger.js';
import { BerthError, messageOf } from '../errors.js';
import type { Languages } from '../sandbox/languages.js';
import type { SandboxLimits } from '../sandbox/spec.js';
import type { PoolRegistry } from './pool-registry.js';
import type { SandboxPool } from './pool.js';
import type { PoolSettings } from './settings.js';
import type { SpecResolver } from './spec-resolver.js';

const RETRY_MISSING_MS = 5_000;

/** The pool of the default spec of each language, made at boot; what is missing for it (an image, Docker) is tried again. */
export class StandingPools {
  readonly #ofLanguage = new Map<string, SandboxPool>();
  /** Why there is none for a language, by its name. */
  readonly #missing = new Map<string, BerthError>();
  #triedAt = 0;

  constructor(
    private readonly options: {
      registry: PoolRegistry;
      specs: SpecResolver;
      languages: Languages;
      limits: SandboxLimits;
      settings: PoolSettings;
      logger: Logger;
    },
  ) {}

  /** Makes those that there are not yet. Never rejects. */
  async start(): Promise<void> {
    const { registry, specs, languages, limits, settings, logger } = this.options;
    this.#triedAt = Date.now();
    for (const language of languages.all()) {
      try {
        const spec = await specs.ofImage(language.image, [language.name], limits, 'reuse');
        const { pool } = registry.of(spec, settings);
        this.#missing.delete(language.name);
        const before = this.#ofLanguage.get(language.name);
        if (pool.state !== 'drained') pool.retryNow();
        if (before === pool) continue;
        // The image behind the name is another one now: the old pool keeps nothing more and goes when it is idle.
        before?.resize({ ...before.settings, min: 0, initial: 0 });
        if (before !== undefined) registry.letGo(before);
        this.#ofLanguage.set(language.name, pool);
        registry.keep(pool);
        pool.resize(settings);
      } catch (error) {
        const known =
          error instanceof BerthError
            ? error
            : new BerthError('INTERNAL', messageOf(error), { cause: error });
        // Tried again every few seconds: said once.
        if (this.#missing.get(language.name)?.message !== known.message)
          logger.warn(
            { language: language.name, image: language.image, err: known },
            'no pool yet for a language',
          );
        this.#missing.set(language.name, known);
      }
    }
  }

  /** To be called about once a second. */
  retry(): void {
    if (this.#missing.size > 0 && Date.now() - this.#triedAt >= RETRY_MISSING_MS) void this.start();
  }

  /** Why the code of a language cannot be run in its pool; undefined when it can. */
  get problem(): BerthError | undefined {
    const [missing] = this.#missing.values();
    if (missing !== undefined) return missing;
    for (const pool of this.#ofLanguage.values()) {
      const { lastError } = pool.backoff;
      if (lastError !== undefined && pool.available + pool.count('leased') === 0) return lastError;
    }
    return undefined;
  }
}
