import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ComposeProject } from '../../../domain/env/compose/model.js';
import { COMPOSE_VERSION } from '../../../domain/env/compose/config-hash.js';
import { messageOf } from '../../../domain/errors.js';
import type { Logger } from '../../../telemetry/logger.js';

const run = promisify(execFile);
/** The tool takes a tenth of a second. */
const LIMIT_MS = 10_000;

/** `unknown`: not asked yet. `agrees`: it counts as Berth does, or there is none. `differs`: it is asked each time. */
type Tool = 'unknown' | 'agrees' | 'differs';

/**
 * Hashes by which `docker compose up` on an env's file finds nothing to change. Berth counts them as compose
 * COMPOSE_VERSION does. Other releases may count otherwise, so the one on this host, if any, is asked about the first
 * project; only if it differs is it asked about every other one, too.
 */
export class ComposeHashes {
  #tool: Tool = 'unknown';

  constructor(
    private readonly logger: Logger,
    private readonly command: readonly [string, ...string[]] = ['docker', 'compose'],
  ) {}

  /** The services with the hash that the host's compose gives them. Its file is on disk. */
  async applied(
    project: ComposeProject,
    signal: AbortSignal | undefined,
  ): Promise<ComposeProject['services']> {
    const { services } = project;
    if (this.#tool === 'agrees') return services;
    const told = await this.#ask(project);
    signal?.throwIfAborted();
    const differs = told !== undefined && services.some(({ name, configHash }) => told[name] !== configHash);
    if (this.#tool === 'unknown' && differs) {
      this.logger.info(
        { composeVersion: COMPOSE_VERSION },
        `docker compose on this host hashes services otherwise than ${COMPOSE_VERSION}: it is asked for each project`,
      );
    }
    if (this.#tool === 'unknown') this.#tool = differs ? 'differs' : 'agrees';
    if (!differs) return services;
    return services.map((service) => ({ ...service, configHash: told[service.name] ?? service.configHash }));
  }

  /** By the names of services; undefined where there is no tool, or it does not answer. */
  async #ask({ configFile, name }: ComposeProject): Promise<Record<string, string> | undefined> {
    const [program, ...args] = this.command;
    const argv = [...args, '--file', configFile, '--project-name', name, 'config', '--hash', '*'];
    try {
      const { stdout } = await run(program, argv, { timeout: LIMIT_MS });
      const lines = stdout.matchAll(/^(\S+) ([0-9a-f]{64})$/gm);
      return Object.fromEntries([...lines].map(([, service = '', hash = '']) => [service, hash]));
    } catch (error) {
      this.logger.debug({ why: messageOf(error) }, 'docker compose was not asked for its hashes');
      return undefined;
    }
  }
}
