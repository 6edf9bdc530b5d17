import { BerthError, invalid } from '../../errors.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { EnvEngine, ProjectContainer } from '../engine.js';
import type { Env } from '../model.js';
import type { EngineProcess, ExecEngine } from './engine.js';
import { checkExecStart, DEFAULT_TERMINAL, type ExecStart } from './request.js';
import { ExecSession } from './session.js';

/** What runs where no command is given: the best shell that the image has. */
const SHELL = ['/bin/sh', '-c', 'if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi'];

export interface EnvSessionsOptions {
  engine: ExecEngine;
  containers: Pick<EnvEngine, 'inspect'>;
  /** @throws ENV_NOT_FOUND */
  getEnv(tenant: string, envId: string): Promise<Env>;
  /** Sessions that one env may have at once. */
  maxPerEnv: number;
  /** Time without input and output after which a session is ended. */
  idleMs: number;
  /** Told when a session begins; the returned one is closed at its end. An env with an open session is in use. */
  openSession(tenant: string, envId: string, detail: string): { close(): void };
  logger: Logger;
}

/** Commands that run in envs, and clients that are attached to their main processes. Held in memory: they end with berthd. */
export class EnvSessions {
  readonly #openByEnv = new Map<string, number>();
  /** Request ids of those that run, with their tenants. */
  readonly #requestIds = new Set<string>();

  constructor(private readonly options: EnvSessionsOptions) {}

  /**
   * Resolves when the command runs.
   * @throws INVALID_ARGUMENT, ENV_NOT_FOUND, ENV_STATE, ENV_CONTAINER_MISSING, REQUEST_ID_REUSED (the first one runs),
   * OVERLOADED, DOCKER_UNAVAILABLE
   */
  async open(start: ExecStart, signal: AbortSignal): Promise<ExecSession> {
    checkExecStart(start);
    const env = await this.options.getEnv(start.tenant, start.envId);
    if (env.state !== 'running') throw notRunning(env, env.state);
    const release = this.#admit(start);
    try {
      const container = await this.#container(env, start, signal);
      const argv = start.argv.length > 0 ? start.argv : SHELL;
      const process = await this.#begin(container, start, argv, signal);
      this.options.logger.info(
        { event: 'exec_started', env: env.id, service: container.service, attach: start.attach },
        'a session in an env began',
      );
      return this.#session(process, container, start, argv, signal, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #session(
    process: EngineProcess,
    container: ProjectContainer,
    start: ExecStart,
    argv: readonly string[],
    signal: AbortSignal,
    release: () => void,
  ): ExecSession {
    const { idleMs, logger } = this.options;
    const { envId } = start;
    const use = this.options.openSession(start.tenant, envId, 'ExecEnv');
    return new ExecSession(process, {
      containerId: container.id,
      service: container.service,
      argv: start.attach ? [] : argv,
      attach: start.attach,
      idleMs,
      signal,
      onClose: () => {
        use.close();
        release();
        logger.info({ event: 'exec_ended', env: envId }, 'a session in an env is over');
      },
    });
  }

  async #begin(
    container: ProjectContainer,
    start: ExecStart,
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<EngineProcess> {
    const { engine } = this.options;
    const terminal = start.terminal && {
      columns: start.terminal.columns || DEFAULT_TERMINAL.columns,
      rows: start.terminal.rows || DEFAULT_TERMINAL.rows,
      term: start.terminal.term || DEFAULT_TERMINAL.term,
    };
    if (start.attach) return await engine.attach(container.id, terminal, signal);
    const { env, cwd, user } = start;
    return await engine.run(container.id, { argv, terminal, env, cwd, user }, signal);
  }

  async #container(env: Env, start: ExecStart, signal: AbortSignal): Promise<ProjectContainer> {
    const containers = await this.options.containers.inspect(env.id, signal);
    const service = start.service || 'app';
    const container = containers.find((one) => one.service === service);
    if (containers.length === 0)
      throw new BerthError(
        'ENV_CONTAINER_MISSING',
        `the containers of ${env.id} are gone: reset it, or deploy its app anew`,
        { resource: { type: 'env', name: env.id } },
      );
    if (container === undefined)
      throw invalid({
        field: 'start.service',
        rule: `must be one of ${containers.map((one) => one.service).join(', ')}`,
      });
    if (container.state !== 'running')
      throw notRunning(env, `${env.state}, but its container is ${container.state}`);
    if (start.attach && container.stdinOpen !== true)
      throw invalid({
        field: 'start.attach',
        rule: `${service} of ${env.id} has no standard input to attach to; run a command in it, or read its log`,
      });
    return container;
  }

  /** @returns what gives the place back */
  #admit({ tenant, requestId, envId }: ExecStart): () => void {
    const { maxPerEnv } = this.options;
    const key = requestId === '' ? undefined : `${tenant}/${requestId}`;
    if (key !== undefined && this.#requestIds.has(key))
      throw new BerthError(
        'REQUEST_ID_REUSED',
        'a session with this request_id runs, and what it wrote has gone to its own client',
      );
    const open = this.#openByEnv.get(envId) ?? 0;
    if (open >= maxPerEnv)
      throw new BerthError(
        'OVERLOADED',
        `${envId} has ${open} sessions, which is the most; end one of them`,
        {
          retryAfterMs: 1_000,
          quota: [{ subject: envId, description: `at most ${maxPerEnv} sessions at once (env.maxSessions)` }],
        },
      );
    this.#openByEnv.set(envId, open + 1);
    if (key !== undefined) this.#requestIds.add(key);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      if (key !== undefined) this.#requestIds.delete(key);
      const left = (this.#openByEnv.get(envId) ?? 1) - 1;
      if (left === 0) this.#openByEnv.delete(envId);
      else this.#openByEnv.set(envId, left);
    };
  }
}

function notRunning(env: Env, state: string): BerthError {
  return new BerthError('ENV_STATE', `nothing can run in ${env.id}: it is ${state}`, {
    metadata: { state: env.state },
    resource: { type: 'env', name: env.id },
  });
}
