import { z } from 'zod';
import { choice, cidr, int, text } from '../fields.js';

const MIB = 1024 * 1024;
const MINUTE = 60_000;
const PORTS = { min: 1, max: 65_535 };

/** Envs: their apps, ports, databases, limits and time to live. */
export const envSection = z
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
    maxTenantApps: int(200, { min: 0, max: 1_000_000 }, 'Apps that a tenant may have uploaded.'),
    maxTenantAppBytes: int(
      2048 * MIB,
      { min: 0, max: 1024 * 1024 * MIB },
      'Size of all that is kept of the apps that a tenant uploaded; each file counts 2 KiB besides.',
    ),
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
  .prefault({});
