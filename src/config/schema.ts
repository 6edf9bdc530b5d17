import { z } from 'zod';
import { address, choice, int, name, text } from './fields.js';
import { envSection } from './sections/env.js';
import { executionSection } from './sections/execution.js';
import { localSection } from './sections/local.js';
import { poolSection } from './sections/pool.js';
import { sandboxSection } from './sections/sandbox.js';

const MIB = 1024 * 1024;
const MINUTE = 60_000;

/**
 * Every key of berthd's configuration. A key `a.bC` in the YAML file is the environment variable `BERTH_A_B_C`; the
 * environment wins over the file. Units are in the names.
 */
export const configSchema = z.strictObject({
  owner: name(
    'berth',
    'Label value on everything this daemon makes in Docker; two daemons on one host need two, and ranges of sandbox.uidFirst that do not overlap.',
  ),
  state: z
    .strictObject({
      dir: text('/var/lib/berth', 'Directory of the SQLite database and default place of apps and envs.'),
    })
    .prefault({}),
  cache: z
    .strictObject({
      dir: text('/var/cache/berth', 'Directory of downloads and compiled programs, which can be made again.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: choice(
        ['trace', 'debug', 'info', 'warn', 'error'],
        'info',
        'Least severe level that is logged.',
      ),
    })
    .prefault({}),
  grpc: z
    .strictObject({
      address: address('127.0.0.1:50051', 'Where gRPC listens.'),
      maxMessageBytes: int(16 * MIB, { min: 64 * 1024, max: 256 * MIB }, 'Largest message taken or sent.'),
      maxConnections: int(512, { min: 1, max: 65_535 }, 'Connections at once; more are closed at once.'),
      maxStreamsPerConnection: int(128, { min: 1, max: 10_000 }, 'Calls at once on one connection.'),
      maxReadersPerTenant: int(
        256,
        { min: 1, max: 65_535 },
        'Streams of WatchEnv and StreamEnvLogs that a tenant may read at once.',
      ),
      keepaliveMs: int(30_000, { min: 1_000, max: 3_600_000 }, 'Idle time after which a peer is pinged.'),
      keepaliveTimeoutMs: int(20_000, { min: 1_000, max: 600_000 }, 'Time a ping may stay unanswered.'),
    })
    .prefault({}),
  http: z.strictObject({ address: address('127.0.0.1:8088', 'Where HTTP (/healthz) listens.') }).prefault({}),
  database: z
    .strictObject({
      url: text('', 'mysql://user:password@host:port/database; empty: SQLite in the state directory.'),
    })
    .prefault({}),
  docker: z
    .strictObject({
      host: text('unix:///var/run/docker.sock', 'Docker Engine API, unix:// or tcp://.'),
      callThreads: int(1, { min: 1, max: 16 }, 'Worker threads for short Docker calls.'),
      streamThreads: int(1, { min: 1, max: 16 }, 'Worker threads that carry open streams.'),
      maxStreams: int(
        512,
        { min: 8, max: 10_000 },
        'Open Docker streams at once (runner channels, log followers).',
      ),
    })
    .prefault({}),
  pool: poolSection,
  budget: z
    .strictObject({
      memoryBytes: int(
        -1,
        { min: -1, max: 64 * 1024 * 1024 * MIB },
        'Memory that may be promised to sandboxes on this host, of all pools and single executions together; -1: 80 % of its memory.',
      ),
      cpuMillis: int(
        -1,
        { min: -1, max: 16 * 1024 * 1_000 },
        'CPU that may be promised to sandboxes, in thousandths of a core; -1: 16 times its cores, since most sandboxes are idle.',
      ),
    })
    .prefault({}),
  sandbox: sandboxSection,
  local: localSection,
  execution: executionSection,
  env: envSection,
  shutdown: z
    .strictObject({
      graceMs: int(20_000, { min: 0, max: 10 * MINUTE }, 'Time that running work gets after SIGTERM.'),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
