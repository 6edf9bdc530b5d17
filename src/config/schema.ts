import { z } from 'zod';
import { address, choice, cidr, int, name, text } from './fields.js';

const MIB = 1024 * 1024;
const MINUTE = 60_000;
const PORTS = { min: 1, max: 65_535 };

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
  pool: z
    .strictObject({
      preset: choice(
        ['default', 'small', 'production'],
        'default',
        'Sizes where the keys below are not given: default 1/3/10, small 1/1/3, production 3/5/20 with 600 s idle time (minimum/initial/maximum).',
      ),
      pooling: choice(
        ['on', 'off'],
        'on',
        'off: no pools; every execution gets a container of its own, made for it and removed after it.',
      ),
      min: int(-1, { min: -1, max: 1_000 }, 'Sandboxes a pool never goes under; -1: as the preset says.'),
      initial: int(
        -1,
        { min: -1, max: 1_000 },
        'Warm sandboxes not yet given to a tenant; -1: as the preset says.',
      ),
      max: int(-1, { min: -1, max: 1_000 }, 'Sandboxes a pool never exceeds; -1: as the preset says.'),
      idleTimeoutMs: int(
        -1,
        { min: -1, max: 24 * 60 * MINUTE },
        'Time without use after which a pool shrinks to its minimum; -1: as the preset says.',
      ),
      healthIntervalMs: int(
        -1,
        { min: -1, max: 24 * 60 * MINUTE },
        'Time between two health checks of an idle sandbox, at least 1000; -1: as the preset says (30 s).',
      ),
      keepForTenantMs: int(
        60_000,
        { min: 0, max: 60 * MINUTE },
        'Time a used sandbox is kept for its tenant.',
      ),
      acquireTimeoutMs: int(30_000, { min: 1, max: 10 * MINUTE }, 'Time a request waits for a sandbox.'),
      createTimeoutMs: int(
        30_000,
        { min: 1_000, max: 10 * MINUTE },
        'Time a sandbox may take from creation to ready.',
      ),
      resetTimeoutMs: int(
        10_000,
        { min: 100, max: MINUTE },
        'Time a reset may take; past it the sandbox is destroyed.',
      ),
      maxUses: int(1_000, { min: 1, max: 1_000_000 }, 'Executions after which a sandbox is replaced.'),
      maxAgeMs: int(
        60 * MINUTE,
        { min: 1_000, max: 24 * 60 * MINUTE },
        'Age after which a sandbox is replaced.',
      ),
      parallelCreates: int(
        2,
        { min: 1, max: 32 },
        'Sandboxes created at once: by each pool, and for single executions.',
      ),
    })
    .prefault({}),
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
  sandbox: z
    .strictObject({
      pythonImage: text('berth/sandbox-python:3.11', 'Image for language python.'),
      memoryBytes: int(
        512 * MIB,
        { min: 32 * MIB, max: 64 * 1024 * MIB },
        'Memory of a sandbox; swap is limited to the same.',
      ),
      maxMemoryBytes: int(
        2048 * MIB,
        { min: 32 * MIB, max: 64 * 1024 * MIB },
        'Largest memory a request may ask for.',
      ),
      cpuMillis: int(500, { min: 50, max: 64_000 }, 'CPU of a sandbox in thousandths of a core.'),
      maxCpuMillis: int(
        64_000,
        { min: 50, max: 1_024_000 },
        'Most CPU a request may ask for, in thousandths of a core.',
      ),
      processes: int(128, { min: 16, max: 4_096 }, 'Processes and threads in a sandbox.'),
      maxProcesses: int(4_096, { min: 16, max: 32_768 }, 'Most processes and threads a request may ask for.'),
      tmpfsBytes: int(64 * MIB, { min: MIB, max: 4096 * MIB }, 'Size of /tmp and of /workspace, each.'),
      maxTmpfsBytes: int(
        2048 * MIB,
        { min: MIB, max: 64 * 1024 * MIB },
        'Largest size of /tmp and of /workspace a request may ask for.',
      ),
      tmpfsInodes: int(16_384, { min: 256, max: 1_000_000 }, 'Files in /tmp and in /workspace, each.'),
      shmBytes: int(16 * MIB, { min: MIB, max: 1024 * MIB }, 'Size of /dev/shm.'),
      ociRuntime: text(
        '',
        'Docker runtime of sandboxes without gVisor; runc: always there; empty: crun where Docker has it beside its default runc and it works, else the default.',
      ),
      gvisorRuntime: text(
        '',
        'Docker runtime that isolation gvisor uses; empty: the first that Docker has of berth-runsc and runsc.',
      ),
      gvisorUnenforcedLimits: choice(
        ['refuse', 'allow'],
        'refuse',
        'What to do with gVisor where nothing shows that memory, CPU and processes are limited (another host, a runtime with --ignore-cgroups).',
      ),
      uidFirst: int(
        200_000,
        { min: 10_000, max: 2_000_000_000 },
        'First host uid that executions run under.',
      ),
      uidCount: int(50_000, { min: 100, max: 1_000_000 }, 'How many host uids executions may use.'),
      wallMs: int(30_000, { min: 1, max: 24 * 60 * MINUTE }, 'Wall time of an execution that names none.'),
      maxWallMs: int(
        10 * MINUTE,
        { min: 1, max: 24 * 60 * MINUTE },
        'Longest wall time a request may ask for.',
      ),
      maxCpuTimeMs: int(
        24 * 60 * MINUTE,
        { min: 1, max: 7 * 24 * 60 * MINUTE },
        'Most CPU time a request may set as its limit.',
      ),
      outputBytes: int(
        16 * MIB,
        { min: 1, max: 16_384 * MIB },
        'Output (stdout and stderr together) of an execution that names no limit.',
      ),
      maxOutputBytes: int(
        1024 * MIB,
        { min: 1, max: 16_384 * MIB },
        'Largest output limit a request may ask for.',
      ),
      maxFileBytes: int(
        1024 * 1024 * MIB,
        { min: 1, max: 1024 * 1024 * MIB },
        'Largest limit of file size a request may set.',
      ),
      retainBytes: int(
        4 * MIB,
        { min: 64 * 1024, max: 1024 * MIB },
        'Events of one execution kept in memory for repeated request ids and later readers.',
      ),
      retainMs: int(
        MINUTE,
        { min: 0, max: 24 * 60 * MINUTE },
        'Time the events of an ended execution are kept.',
      ),
    })
    .prefault({}),
  local: z
    .strictObject({
      mode: choice(
        ['on', 'off'],
        'on',
        'Whether code may run in sandboxes of bubblewrap while there is no Docker.',
      ),
      bwrap: text('bwrap', 'Name or path of bubblewrap; not below /tmp.'),
      python: text(
        '',
        'Path of the python3 of local sandboxes, whose installation they may read; empty: the first of /usr/local/bin, /usr/bin, /bin.',
      ),
      rootfs: text(
        '',
        "Unpacked root file system (docker export) that local sandboxes see; empty: the host's programs and libraries.",
      ),
      expose: text('', 'Further host paths, separated by commas, that local sandboxes may read.'),
      runnerUid: int(
        199_999,
        { min: 10_000, max: 2_000_000_000 },
        "Host uid that the runner of a local sandbox has outside; nobody else's.",
      ),
      cgroupParent: text(
        'berth',
        'Cgroup, below each hierarchy, that the cgroups of local sandboxes are made in.',
      ),
      unenforcedLimits: choice(
        ['refuse', 'allow'],
        'refuse',
        'What to do where cgroups cannot be written: without them each process has limits, the sandbox as a whole has none.',
      ),
    })
    .prefault({}),
  execution: z
    .strictObject({
      retainTotalBytes: int(
        64 * MIB,
        { min: MIB, max: 64 * 1024 * MIB },
        'Memory for the events of ended executions together; those that nobody reads and that ended first go first.',
      ),
      spillBytes: int(
        256 * MIB,
        { min: MIB, max: 1024 * 1024 * MIB },
        'Older events of one execution kept in a file in the state directory.',
      ),
      spillTotalBytes: int(
        1024 * MIB,
        { min: 0, max: 1024 * 1024 * MIB },
        'Older events of all executions kept in files together; 0: none.',
      ),
      maxWaitingBytes: int(
        256 * MIB,
        { min: 32 * MIB, max: 1024 * 1024 * MIB },
        'Input (code, files, standard input) of all executions that wait for a sandbox; beyond it new ones are refused.',
      ),
      maxRequestIds: int(
        100_000,
        { min: 100, max: 10_000_000 },
        'Request ids of executions kept in memory; for older ones of this life the database is asked.',
      ),
      maxPendingRecords: int(
        50_000,
        { min: 100, max: 10_000_000 },
        'Records of executions that may wait in memory while the database is away.',
      ),
      keepRecordsMs: int(
        7 * 24 * 60 * MINUTE,
        { min: MINUTE, max: 10 * 365 * 24 * 60 * MINUTE },
        'Time records of executions are kept.',
      ),
      keepRecords: int(
        1_000_000,
        { min: 100, max: 1_000_000_000 },
        'Records of executions kept; the oldest go first.',
      ),
    })
    .prefault({}),
  env: z
    .strictObject({
      appsPath: text(
        '',
        'Folder of the apps (`{appsPath}/{app_id}/metadata.json`); empty: `apps` in the state directory.',
      ),
      basePath: text('', 'Folder of the env directories; empty: `envs` in the state directory.'),
      serverHost: text('localhost', 'Host name in the URLs of envs.'),
      bindHost: text('127.0.0.1', 'Host address that env ports are published on; 0.0.0.0 for all.'),
      portFirst: int(18_000, PORTS, 'First host port for envs.'),
      portLast: int(19_999, PORTS, 'Last host port for envs.'),
      subnets: cidr('10.213.0.0/17', 'Range that env networks take their /28 from, one for each port.'),
      memoryBytes: int(
        512 * MIB,
        { min: 32 * MIB, max: 64 * 1024 * MIB },
        'Memory of an app container; swap is limited to the same.',
      ),
      cpuMillis: int(500, { min: 50, max: 64_000 }, 'CPU of an app container in thousandths of a core.'),
      processes: int(512, { min: 16, max: 32_768 }, 'Processes and threads in an app container.'),
      readyTimeoutMs: int(30_000, { min: 100, max: 10 * MINUTE }, 'Time an app has to answer.'),
      stopGraceMs: int(10_000, { min: 0, max: 10 * MINUTE }, 'Time between SIGTERM and SIGKILL for an app.'),
      maxAppBytes: int(64 * MIB, { min: 1_024, max: 4096 * MIB }, 'Size of an app, files together.'),
      maxAppFiles: int(10_000, { min: 1, max: 1_000_000 }, 'Files of an app.'),
      sharedDatabase: z
        .strictObject({
          create: choice(['on', 'off'], 'on', 'Whether Berth may make the shared database server.'),
          image: text('', 'Its image; empty: the first of mysql:8.0 and mysql:9 that the host has.'),
          memoryBytes: int(1024 * MIB, { min: 256 * MIB, max: 1024 * 1024 * MIB }, 'Its memory.'),
          cpuMillis: int(2_000, { min: 100, max: 64_000 }, 'Its CPU in thousandths of a core.'),
          maxConnections: int(500, { min: 10, max: 10_000 }, 'Connections of all envs to it together.'),
          publishPort: int(
            0,
            { min: 0, max: 65_535 },
            'Port on 127.0.0.1 that it is published on, for tools with the user of an env; 0: none.',
          ),
          subnets: cidr(
            '10.213.128.0/18',
            'Range that the networks between it and one env each take their /29 from, one for each port.',
          ),
          startTimeoutMs: int(
            120_000,
            { min: 1_000, max: 10 * MINUTE },
            'Time from its start until it answers.',
          ),
        })
        .prefault({}),
      standaloneDatabase: z
        .strictObject({
          image: text(
            '',
            "Image of an env's own server where its metadata names none; empty: as the shared one's.",
          ),
          memoryBytes: int(1024 * MIB, { min: 256 * MIB, max: 1024 * 1024 * MIB }, 'Its memory.'),
          cpuMillis: int(1_000, { min: 100, max: 64_000 }, 'Its CPU in thousandths of a core.'),
          readyTimeoutMs: int(
            120_000,
            { min: 1_000, max: 60 * MINUTE },
            'Time from its start until it answers, its SQL loaded.',
          ),
        })
        .prefault({}),
      maxSessions: int(
        16,
        { min: 1, max: 1_000 },
        'Commands and attached clients (ExecEnv) that one env may have at once.',
      ),
      sessionIdleMs: int(
        60 * MINUTE,
        { min: 1_000, max: 24 * 60 * MINUTE },
        'Time without input and output after which a session (ExecEnv) is ended.',
      ),
      maxConcurrentOperations: int(10, { min: 1, max: 1_000 }, 'Deployments at once; more wait in order.'),
      maxQueuedOperations: int(
        100,
        { min: 0, max: 100_000 },
        'Deployments that may wait; more are refused with RESOURCE_EXHAUSTED.',
      ),
      queueTimeoutMs: int(
        10 * MINUTE,
        { min: 1, max: 24 * 60 * MINUTE },
        'Time a deployment may wait when it names none.',
      ),
      ttlMs: int(
        60 * MINUTE,
        { min: 1_000, max: 7 * 24 * 60 * MINUTE },
        'Time to live of an env that names none.',
      ),
      idleTimeoutMs: int(
        120 * MINUTE,
        { min: 1_000, max: 7 * 24 * 60 * MINUTE },
        'Time without activity after which an env that names none is destroyed.',
      ),
      warnBeforeMs: int(
        5 * MINUTE,
        { min: 0, max: 24 * 60 * MINUTE },
        "How long before its end an env's event stream warns of it; at most half of its time.",
      ),
      sweepIntervalMs: int(
        10_000,
        { min: 100, max: 10 * MINUTE },
        'How often the time that envs have left, and the traffic on their ports, are looked at.',
      ),
      maxDiskBytes: int(
        1024 * MIB,
        { min: MIB, max: 16 * 1024 * 1024 * MIB },
        "What an env's directory, volumes and containers may write to disk; one that has more is stopped.",
      ),
      minFreeDiskBytes: int(
        512 * MIB,
        { min: 0, max: 16 * 1024 * 1024 * MIB },
        'Free space on disk that a deployment has to leave.',
      ),
      reconcileIntervalMs: int(
        MINUTE,
        { min: 100, max: 60 * MINUTE },
        'How often the host is compared with the rows, and undos that failed are tried again (one that fails again and again: at growing intervals, up to 16 times this).',
      ),
    })
    .prefault({}),
  shutdown: z
    .strictObject({
      graceMs: int(20_000, { min: 0, max: 10 * MINUTE }, 'Time that running work gets after SIGTERM.'),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
