import { join } from 'node:path';
import { connect, type BerthClient } from '../../clients/typescript/src/client.js';
import { Isolation } from '../../clients/typescript/src/gen/berth/v1/common.js';
import { ServedBy, type ExecuteRequest } from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import type { EngineName } from './program.js';

const MIB = 1024 * 1024;

/** Uids that nobody else on the host uses, so that the process table shows what is left of this run and nothing else. */
export interface UidRange {
  first: number;
  count: number;
}

/** A berthd of its own that runs things on one engine. */
export interface Engine extends AsyncDisposable {
  name: EngineName;
  /** Docker runtime of its sandboxes: `runc` stands for what takes its place as well. Undefined where none was chosen. */
  runtime: string | undefined;
  daemon: TestDaemon;
  uids: UidRange;
  /** What a request needs to be served by this engine. */
  request: Pick<ExecuteRequest, 'language' | 'isolation'>;
  /** A client of that tenant; closed with the engine. */
  as(tenant: string): BerthClient;
}

/** For people: why an engine is not tried. */
export interface Unavailable {
  unavailable: string;
}

const FIRST_UID: Record<EngineName, number> = { runc: 3_000_000, gvisor: 3_200_000, local: 3_400_000 };

/** Starts a berthd and has it run a first program on the engine. What the daemon does not offer is told, not thrown. */
export async function startEngine(name: EngineName): Promise<Engine | Unavailable> {
  const uids = { first: FIRST_UID[name] + (process.pid % 100) * 2_000, count: 2_000 };
  const daemon = await startDaemon({
    env: {
      BERTH_SANDBOX_UID_FIRST: String(uids.first),
      BERTH_SANDBOX_UID_COUNT: String(uids.count),
      // One for the hostile tenant, one for its neighbour, and a fresh one: with fewer, each would take the other's, and no
      // reset would be looked at.
      BERTH_POOL_MIN: '1',
      BERTH_POOL_INITIAL: '1',
      BERTH_POOL_MAX: '3',
      BERTH_POOL_KEEP_FOR_TENANT_MS: '600000',
      // Small, so that a bomb is done soon; smaller than the writable places together, so that they can be one.
      BERTH_SANDBOX_MEMORY_BYTES: String(128 * MIB),
      BERTH_SANDBOX_CPU_MILLIS: '1000',
      // What is kept for later readers is no leak; with little of it a leak shows.
      BERTH_SANDBOX_RETAIN_BYTES: String(256 * 1024),
      ...(name === 'local' ? { BERTH_DOCKER_HOST: 'unix:///run/berth-test-no-docker.sock' } : {}),
    },
    waitForPool: false,
  });
  // It tries the host, and may have to compile, behind its start.
  if (name === 'local')
    await daemon.logged(({ event }) => event === 'local_engine_ready' || event === 'local_engine_refused');
  const clients: BerthClient[] = [];
  const engine: Engine = {
    name,
    runtime: undefined,
    daemon,
    uids,
    request: { language: 'python', isolation: name === 'gvisor' ? Isolation.GVISOR : Isolation.REUSE },
    as: (tenant) => {
      const client = connect({ address: daemon.address, tenant });
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close();
      await daemon.dispose();
    },
  };
  const unavailable = await whyNot(engine);
  if (unavailable === undefined) {
    if (name === 'runc') {
      const { runtime } = await daemon.logged(({ event }) => event === 'sandbox_runtime');
      engine.runtime = String(runtime);
    }
    return engine;
  }
  await engine[Symbol.asyncDispose]();
  return { unavailable };
}

/** Undefined when the engine has run a program, and it was this one that did. */
async function whyNot(engine: Engine): Promise<string | undefined> {
  try {
    const { started } = await engine.as('probe').run({
      ...engine.request,
      source: { $case: 'code', value: 'print("here")' },
    });
    const byLocal = started.servedBy === ServedBy.LOCAL;
    if (byLocal !== (engine.name === 'local')) return `the daemon served it by ${started.engine}`;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const PROGRAMS = join(import.meta.dirname, 'programs');
