import { BerthError, messageOf } from '../../errors.js';
import type { EnvEngine, ProjectEvent } from '../engine.js';

/** Exit code of a process that was killed: by the memory limit, when an `oom` event came before. */
const KILLED = 137;

/**
 * Docker's events of one project, open from before its containers start: an app that exits at once is seen at once, and
 * not after a time-out. Close it on every path.
 */
export class ProjectWatch {
  readonly #failure = new AbortController();
  readonly #health = new Map<string, 'healthy' | 'unhealthy' | 'starting'>();
  readonly #outOfMemory = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #close: () => void = () => {};

  private constructor(private readonly cleanExitIsFine: boolean) {}

  /** @param options.cleanExitIsFine a CLI may come to its end with code 0 */
  static async open(
    engine: EnvEngine,
    projectName: string,
    options: { cleanExitIsFine: boolean },
  ): Promise<ProjectWatch> {
    const watch = new ProjectWatch(options.cleanExitIsFine);
    const subscription = await engine.watch(
      projectName,
      (event) => watch.#take(event),
      (error) => watch.#ended(error),
    );
    watch.#close = () => subscription.close();
    return watch;
  }

  /** Aborted with APP_EXITED when a container died, DOCKER_UNAVAILABLE when no more events come. */
  get failure(): AbortSignal {
    return this.#failure.signal;
  }

  health(service: string): 'healthy' | 'unhealthy' | 'starting' | undefined {
    return this.#health.get(service);
  }

  /** Resolves when a service became healthy. @throws the signal's reason, APP_NOT_READY when it became unhealthy */
  async untilHealthy(service: string, signal: AbortSignal): Promise<void> {
    while (this.health(service) !== 'healthy') {
      signal.throwIfAborted();
      if (this.health(service) === 'unhealthy') {
        throw new BerthError('APP_NOT_READY', `the health check of ${service} failed as often as it may`);
      }
      await this.#nextEvent(signal);
    }
  }

  close(): void {
    this.#close();
  }

  #take(event: ProjectEvent): void {
    switch (event.action) {
      case 'health_status':
        if (event.health) this.#health.set(event.service, event.health);
        break;
      case 'oom':
        this.#outOfMemory.add(event.service);
        break;
      case 'die':
        if (!(this.cleanExitIsFine && event.exitCode === 0)) this.#failure.abort(this.#exited(event));
        break;
      case 'start':
      case 'destroy':
      case 'exec_start':
      case 'exec_die':
        break;
    }
    for (const listener of this.#listeners) listener();
  }

  #exited({ service, exitCode = -1 }: ProjectEvent): BerthError {
    const outOfMemory = this.#outOfMemory.has(service) && exitCode === KILLED;
    const how = outOfMemory ? 'was killed at its memory limit' : `exited with code ${exitCode}`;
    return new BerthError(
      'APP_EXITED',
      `${service} ${how} before the env was ready; its last log lines say more`,
      {
        metadata: { service, exit_code: String(exitCode), oom_killed: String(outOfMemory) },
      },
    );
  }

  #ended(error: Error | undefined): void {
    const why = error ? messageOf(error) : 'the event stream was closed';
    this.#failure.abort(
      error instanceof BerthError
        ? error
        : new BerthError('DOCKER_UNAVAILABLE', `no more events come from Docker: ${why}`, { cause: error }),
    );
  }

  #nextEvent(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#listeners.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
