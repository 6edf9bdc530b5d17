import type { DatabaseServerEngine, SqlOutcome } from '../domain/database/server-engine.js';
import type { EnvStore, LeaseStore, PortStore } from '../domain/env/store.js';
import { BerthError } from '../domain/errors.js';
import type { DockerCalls } from '../engine/docker/docker-calls.js';
import { DockerError } from '../engine/docker/docker-error.js';
import type { DockerStreams } from '../engine/docker/docker-streams.js';
import type { DockerCall } from '../engine/docker/worker/call-messages.js';
import { around, type Arounds } from './around.js';
import type { Failpoints, Failures } from './failpoints.js';

/** What envs are stored in. */
export interface EnvStores {
  envs: EnvStore;
  ports: PortStore;
  leases: LeaseStore;
}

/** Every commit: `store.claim`, `store.begin(stop)`, `store.commit(verify done, mark_running intent)`, `store.ports.claim`, … */
export function failingStores(points: Failpoints, { envs, ports, leases }: EnvStores): EnvStores {
  const at = <T>(name: string, call: () => Promise<T>): Promise<T> =>
    points.pass(`store.${name}`, call, storeFailures);
  return {
    envs: around(envs, {
      claim: (call) => at('claim', call),
      beginOperation: (call, operation) => at(`begin(${operation.kind})`, call),
      commit: (call, change) => at(`commit(${labelOf(change)})`, call),
      saveActivities: (call) => at('saveActivities', call),
      saveDiskBytes: (call) => at('saveDiskBytes', call),
    }),
    ports: around(ports, {
      claim: (call) => at('ports.claim', call),
      release: (call) => at('ports.release', call),
    }),
    leases: around(leases, {
      take: (call) => at('leases.take', call),
      release: (call) => at('leases.release', call),
    }),
  };
}

/** Every call to Docker, reading ones too: `docker.createContainer`, `docker.stream(logs)`, … */
export const failingDocker = (points: Failpoints) => ({
  calls: (calls: DockerCalls): DockerCalls =>
    around(calls, {
      // The type of a generic method cannot be said of what surrounds it.
      run: ((call: () => Promise<unknown>, task: DockerCall) =>
        // Statements have their failpoint where they are statements.
        task.op === 'runInContainer' && task.stdin !== undefined
          ? call()
          : points.pass(`docker.${task.op}`, call, dockerFailures)) as Arounds<DockerCalls>['run'],
    }),
  streams: (streams: DockerStreams): DockerStreams =>
    around(streams, {
      open: (call, open) => points.pass(`docker.stream(${open.kind})`, call, dockerFailures),
    }),
});

/** Every run of statements on the shared server: `sql(INSERT IGNORE INTO)`, `sql(load)`, … */
export function failingSql(points: Failpoints, engine: DatabaseServerEngine): DatabaseServerEngine {
  return around(engine, {
    runSql: (call, sql, session) => {
      const name = session === 'administrator' ? firstWords(sql) : 'load';
      return points.pass(`sql(${name})`, call, sqlFailures);
    },
  });
}

/** What the transaction is about: its checkpoints, the operation's new state, or the first event. */
function labelOf({
  checkpoints = [],
  operation,
  newOperation,
  events = [],
}: Parameters<EnvStore['commit']>[0]): string {
  if (checkpoints.length > 0) return checkpoints.map(({ step, state }) => `${step} ${state}`).join(', ');
  if (operation) return `operation ${operation.state}`;
  if (newOperation) return `new ${newOperation.kind}`;
  const [first] = events;
  return first && 'step' in first.body
    ? `${first.body.step} ${first.body.type}`
    : (first?.body.type ?? 'env');
}

/** Enough of a statement to know it again; names of envs and passwords come behind. */
function firstWords(sql: Uint8Array): string {
  return Buffer.from(sql).toString('utf8').trim().split(/\s+/).slice(0, 3).join(' ').replace(/[=;]/g, '');
}

const storeFailures: Failures<never> = {
  refused: async (message) => {
    throw new BerthError('STORE_UNAVAILABLE', message, { retryAfterMs: 1_000 });
  },
  lost: async (message) => {
    throw new BerthError('STORE_UNAVAILABLE', message, {
      retryAfterMs: 1_000,
      metadata: { outcome: 'unknown' },
    });
  },
};

const dockerFailures: Failures<never> = {
  refused: async (message) => {
    throw new DockerError({ code: 'docker', status: 500, message });
  },
  lost: async (message) => {
    throw new DockerError({ code: 'unreachable', cause: 'lost', message });
  },
};

/** As MySQL's client tells it; the message goes where its own would. */
const sqlFailures: Failures<SqlOutcome> = {
  refused: async (message) => ({
    exitCode: 1,
    rows: '',
    errors: `ERROR 1105 (HY000) at line 1: ${message}`,
  }),
  lost: async (message) => ({
    exitCode: 1,
    rows: '',
    errors: `ERROR 2013 (HY000) at line 1: Lost connection to MySQL server during query: ${message}`,
  }),
};
