import type { PortStore } from '../env/store.js';
import { BerthError } from '../errors.js';
import { canBind } from './bind-test.js';

export interface PortRange {
  first: number;
  last: number;
}

/**
 * Host ports for envs, as seed 003 says: skip what the table has as used, skip what another process holds, claim by
 * conditional update, and go on to the next when somebody else was first.
 */
export class PortAllocator {
  constructor(
    private readonly ports: PortStore,
    private readonly range: PortRange,
    private readonly bindHost: string,
    private readonly isFree: (host: string, port: number) => Promise<boolean> = canBind,
  ) {}

  /**
   * Claims the lowest free port that is not in `excluded`.
   * @throws PORT_NONE_FREE, and `signal.reason` when aborted
   */
  async claim(envId: string, excluded: ReadonlySet<number>, signal: AbortSignal): Promise<number> {
    for await (const port of this.#free(excluded, signal)) {
      if (await this.ports.claim(port, envId)) return port;
    }
    throw this.#noneFree();
  }

  /** The port that `claim` would likely give, and claims nothing. @throws as `claim` */
  async next(excluded: ReadonlySet<number>, signal: AbortSignal): Promise<number> {
    for await (const port of this.#free(excluded, signal)) return port;
    throw this.#noneFree();
  }

  async *#free(excluded: ReadonlySet<number>, signal: AbortSignal): AsyncGenerator<number> {
    const used = await this.ports.used();
    for (let port = this.range.first; port <= this.range.last; port++) {
      signal.throwIfAborted();
      if (used.has(port) || excluded.has(port)) continue;
      if (await this.isFree(this.bindHost, port)) yield port;
    }
  }

  #noneFree(): BerthError {
    const range = `${this.range.first}-${this.range.last}`;
    return new BerthError(
      'PORT_NONE_FREE',
      `no free host port is left in ${range}: destroy envs that are not needed, or configure a larger range`,
      {
        quota: [{ subject: 'env ports', description: `all ports of ${range} are in use` }],
        retryAfterMs: 30_000,
      },
    );
  }

  /** Whether the port could be bound now. */
  canBind(port: number): Promise<boolean> {
    return this.isFree(this.bindHost, port);
  }

  list(): ReturnType<PortStore['list']> {
    return this.ports.list();
  }

  /** Whether the table has `port` as this env's. */
  async holds(envId: string, port: number): Promise<boolean> {
    return (await this.ports.list()).some((row) => row.port === port && row.envId === envId);
  }

  /**
   * Frees every port that is the env's, and returns them. It asks the table, not the caller's memory: a crash may have
   * come between the claim and the checkpoint that would have recorded it.
   */
  async releaseAll(envId: string): Promise<number[]> {
    const released: number[] = [];
    for (const row of await this.ports.list()) {
      if (row.envId === envId && (await this.ports.release(row.port, envId))) released.push(row.port);
    }
    return released;
  }
}
