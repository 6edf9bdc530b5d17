import { BerthError } from '../../domain/errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { DockerCalls } from './docker-calls.js';
import { DockerError } from './docker-error.js';
import type { CallResults } from './worker/call-messages.js';

/** Starts a container as runc does, with less CPU: it is written in C, and runc starts a Go program several times over. */
const CRUN = 'crun';
/** What crun may stand in for. Whoever made another one Docker's default wanted what that one does. */
const RUNC = 'runc';

/** Docker's words where a runtime is not there. */
const RUNTIME_GONE = /\bunknown( or invalid)? runtime\b/i;
/** And where it refuses; an image that cannot be run is told in the same words. */
const RUNTIME_FAILED = /\bOCI runtime\b|\bunknown runtime\b|\bruntime name\b/i;

/** A runtime may fail for once, as when somebody kills its container: after this time it is tried again. */
const TRIED_AGAIN_AFTER_MS = 60 * 60_000;

/**
 * The Docker runtime of sandboxes without gVisor.
 * @param configured `sandbox.ociRuntime`; empty: crun where it is there and in the place of runc, else Docker's default
 * @returns undefined: Docker's default
 * @throws BerthError SANDBOX_CREATE_FAILED for one that Docker does not have
 */
export function ociRuntimeName(docker: CallResults['info'], configured: string): string | undefined {
  const { runtimes, defaultRuntime } = docker;
  if (configured === '') return defaultRuntime === RUNC && runtimes.includes(CRUN) ? CRUN : undefined;
  if (runtimes.includes(configured)) return configured;
  throw new BerthError(
    'SANDBOX_CREATE_FAILED',
    `sandboxes are to run under the Docker runtime ${configured} (sandbox.ociRuntime), and Docker has only ${runtimes.join(', ')}; ` +
      "add it to 'runtimes' in /etc/docker/daemon.json and reload Docker, or leave BERTH_SANDBOX_OCI_RUNTIME empty",
    { metadata: { runtime: configured } },
  );
}

export interface OciRuntimeOptions {
  calls: Pick<DockerCalls, 'run'>;
  /** `sandbox.ociRuntime` */
  configured: string;
  logger: Logger;
}

/**
 * Decides which runtime sandboxes are created with: asks Docker once, and again after `forget`. A runtime that was chosen
 * here and does not work costs no sandbox: Docker's default takes its place for an hour. One that was configured is not
 * replaced.
 */
export class OciRuntime {
  #choice: Promise<string | undefined> | undefined;
  /** By `performance.now()`; infinite while the choice works. */
  #triedAgainAt = Infinity;
  #proven: string | undefined;

  constructor(private readonly options: OciRuntimeOptions) {}

  /** Docker may have other runtimes by now. */
  forget(): void {
    this.#choice = undefined;
    this.#triedAgainAt = Infinity;
    this.#proven = undefined;
  }

  /**
   * The runtime that was chosen here and under which a container has started; undefined: none, so take Docker's default.
   * For who cannot try it out: an env's container is made in one step and started in a later one.
   */
  get proven(): string | undefined {
    return this.#proven;
  }

  /**
   * Has a container created with the runtime, and a second time with Docker's default where the first one is refused.
   * @param create given undefined for Docker's default; leaves nothing when it fails
   * @throws DockerError, BerthError SANDBOX_CREATE_FAILED, what `create` throws
   */
  async use<T>(create: (runtime: string | undefined) => Promise<T>): Promise<T> {
    if (performance.now() >= this.#triedAgainAt) this.forget();
    const choice = (this.#choice ??= this.#choose());
    const runtime = await choice;
    try {
      const created = await create(runtime);
      if (this.options.configured === '' && this.#choice === choice) this.#proven = runtime;
      return created;
    } catch (error) {
      if (runtime === undefined || !isRuntimeFailure(error)) throw error;
      if (this.options.configured !== '') {
        this.forget();
        throw error;
      }
      // When this fails as well, it was not for the runtime.
      const created = await create(undefined);
      this.#giveUp(choice, runtime, error);
      return created;
    }
  }

  async #choose(): Promise<string | undefined> {
    const { calls, configured, logger } = this.options;
    try {
      const docker = await calls.run({ op: 'info' });
      const runtime = ociRuntimeName(docker, configured);
      logger.info(
        { event: 'sandbox_runtime', runtime: runtime ?? docker.defaultRuntime },
        'the Docker runtime of sandboxes',
      );
      return runtime;
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** Several creations may find out at once. */
  #giveUp(choice: Promise<string | undefined>, runtime: string, error: DockerError): void {
    if (this.#choice !== choice) return;
    this.#choice = Promise.resolve(undefined);
    this.#proven = undefined;
    this.#triedAgainAt = performance.now() + TRIED_AGAIN_AFTER_MS;
    this.options.logger.warn(
      { event: 'sandbox_runtime_refused', runtime, reason: error.message },
      "Docker has this runtime but it does not work; for an hour sandboxes are created under Docker's default",
    );
  }
}

function isRuntimeFailure(error: unknown): error is DockerError {
  return error instanceof DockerError && RUNTIME_FAILED.test(error.message);
}

/** Whether a container cannot start since Docker no longer has the runtime that it was made for. */
export function isRuntimeGone(error: unknown): boolean {
  return error instanceof DockerError && RUNTIME_GONE.test(error.message);
}
