// Takes sandboxes away under the executions in them: `docker kill`, `docker rm -f`, and RecycleSandbox and DrainPool where
// there are such.
import { setTimeout as delay } from 'node:timers/promises';
import { SandboxState } from '../../dist/clients/typescript/src/index.js';
import { run } from '../../src/cli/setup/processes.mjs';

const LEAST_PAUSE_MS = 800;
const LONGEST_PAUSE_MS = 3_000;
/** How often one is chosen that an execution runs in; else any, also one that is being created, reset or destroyed. */
const BUSY_SHARE = 0.7;
const DRAIN_MS = 300;

/** What was done to which sandbox, noted before it is done: whoever asks afterwards finds it. */
export class Vandal {
  /** @type {Map<string, 'killed' | 'removed' | 'recycled'>} */
  #hits = new Map();
  /** Pools that were drained, with what ran in them, and warmed again. */
  #drained = new Map();

  /** @param {{owner: string, random: import('./random.mjs').Random, client: object, features: import('./features.mjs').Features}} options */
  constructor(options) {
    this.options = options;
  }

  /** How the sandbox of an execution was hit, if it was. @param {{sandboxId: string, poolId: string} | undefined} started */
  hitOn(started) {
    return this.#hits.get(started?.sandboxId);
  }

  /** Whether the pool of an execution was drained at some time. */
  drained(started) {
    return this.#drained.has(started?.poolId);
  }

  /** How often each was done. */
  counts() {
    const counts = {};
    for (const how of this.#hits.values()) counts[how] = (counts[how] ?? 0) + 1;
    for (const times of this.#drained.values())
      counts['pools drained'] = (counts['pools drained'] ?? 0) + times;
    return counts;
  }

  /** Goes on until the signal. */
  async rage(signal) {
    const { random, features } = this.options;
    for (;;) {
      const pauseMs = random.int(LEAST_PAUSE_MS, LONGEST_PAUSE_MS);
      const { how } = random.pickWeighted([
        { weight: 4, how: 'killed' },
        { weight: 4, how: 'removed' },
        ...(features.recycleSandbox ? [{ weight: 3, how: 'recycled' }] : []),
        ...(features.drainPool ? [{ weight: 1, how: 'drained' }] : []),
      ]);
      const choice = { place: random.fraction(), busy: random.chance(BUSY_SHARE) };
      try {
        await delay(pauseMs, undefined, { signal });
      } catch {
        return;
      }
      if (how === 'drained') await this.#drain(choice.place);
      else await this.#hit(how, choice);
    }
  }

  /** Drains a pool with little patience, and brings it back. */
  async #drain(place) {
    const { client } = this.options;
    const { pools } = await client.pool.listPools({ pageSize: 500 });
    const { poolId } = pools[Math.floor(place * pools.length)];
    this.#drained.set(poolId, (this.#drained.get(poolId) ?? 0) + 1);
    await client.pool.drainPool({ poolId, timeoutMs: DRAIN_MS });
    // Not to be waited for: what it makes may have been hit by then.
    await client.pool.warmPool({ target: { $case: 'poolId', value: poolId }, noWait: true });
  }

  async #busySandboxes() {
    const { client } = this.options;
    const { pools } = await client.pool.listPools({ pageSize: 500 });
    const busy = new Set();
    for (const { poolId } of pools) {
      const { pool } = await client.pool.getPool({ poolId });
      for (const { sandboxId, state } of pool.sandboxes)
        if (state === SandboxState.IN_USE) busy.add(sandboxId);
    }
    return busy;
  }

  async #hit(how, choice) {
    const all = (await runningSandboxes(this.options.owner)).filter(({ id }) => !this.#hits.has(id));
    const busy = choice.busy ? await this.#busySandboxes() : undefined;
    const sandboxes = busy === undefined ? all : all.filter(({ id }) => busy.has(id));
    if (sandboxes.length === 0) return;
    const { id, container } = sandboxes[Math.floor(choice.place * sandboxes.length)];
    this.#hits.set(id, how);
    // It may be gone meanwhile, which is no failure of anybody.
    if (how === 'killed') await run(['docker', 'kill', container]);
    if (how === 'removed') await run(['docker', 'rm', '--force', container]);
    if (how === 'recycled')
      await this.options.client.pool.recycleSandbox({ sandboxId: id, force: true }).catch((error) => {
        if (error.reason !== 'SANDBOX_NOT_FOUND') throw error;
      });
  }
}

/** @returns {Promise<{id: string, container: string}[]>} by id */
async function runningSandboxes(owner) {
  const { stdout } = await run([
    'docker',
    'ps',
    '--no-trunc',
    '--filter',
    `label=dev.berth.owner=${owner}`,
    '--format',
    '{{.Label "dev.berth.sandbox"}} {{.ID}}',
  ]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .sort()
    .map((line) => {
      const [id, container] = line.split(' ');
      return { id, container };
    });
}
