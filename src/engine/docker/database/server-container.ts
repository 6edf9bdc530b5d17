import type { DatabaseServerSpec } from '../../../domain/database/server-engine.js';
import { KIND_LABEL, OWNER_LABEL } from '../labels.js';
import type { ContainerCreateBody } from '../worker/call-messages.js';

/** `dev.berth.kind` of what belongs to the shared server: no env owns it. */
export const DATABASE_KIND = 'database';

const NS_PER_S = 1_000_000_000;
/** Processes and threads: one for each connection, and MySQL's own. */
const OWN_THREADS = 256;
const STOP_GRACE_S = 30;

export interface ServerNames {
  container: string;
  volume: string;
  network: string;
}

/** Each owner has a server of its own. */
export function serverNames(owner: string): ServerNames {
  const container = `${owner}-shared-mysql`;
  return { container, volume: `${container}-data`, network: `${container}-net` };
}

export function serverLabels(owner: string): Record<string, string> {
  return { [OWNER_LABEL]: owner, [KIND_LABEL]: DATABASE_KIND };
}

/** What Docker is asked for. */
export function serverContainerBody(
  spec: DatabaseServerSpec,
  names: ServerNames,
  owner: string,
): ContainerCreateBody {
  return {
    Image: spec.image,
    Cmd: [
      'mysqld',
      '--skip-log-bin',
      '--performance-schema=OFF',
      // What runs by itself would outlive the app that began it, at the cost of all others.
      '--event-scheduler=OFF',
      `--max-connections=${spec.maxConnections}`,
    ],
    Env: [
      `MYSQL_ROOT_PASSWORD=${spec.rootPassword}`,
      // The administrator signs in from inside of the container only, and over TCP, which is up after the set-up alone.
      'MYSQL_ROOT_HOST=127.0.0.1',
    ],
    Labels: serverLabels(owner),
    StopTimeout: STOP_GRACE_S,
    Healthcheck: {
      Test: [
        'CMD-SHELL',
        'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mysql --no-defaults --protocol=TCP --host=127.0.0.1 --user=root --connect-timeout=4 --execute="SELECT 1"',
      ],
      Interval: 10 * NS_PER_S,
      Timeout: 10 * NS_PER_S,
      StartPeriod: 120 * NS_PER_S,
      Retries: 6,
    },
    ...(spec.publishPort === 0 ? {} : { ExposedPorts: { '3306/tcp': {} } }),
    HostConfig: {
      NetworkMode: names.network,
      PortBindings:
        spec.publishPort === 0
          ? {}
          : { '3306/tcp': [{ HostIp: '127.0.0.1', HostPort: String(spec.publishPort) }] },
      Mounts: [{ Type: 'volume', Source: names.volume, Target: '/var/lib/mysql', ReadOnly: false }],
      CapDrop: ['ALL'],
      // The entrypoint takes the data folder over, looks after a server for the set-up, and gives up root.
      CapAdd: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'],
      SecurityOpt: ['no-new-privileges:true'],
      // It is in a network of each env, and carries nothing from one to another.
      Sysctls: { 'net.ipv4.ip_forward': '0' },
      RestartPolicy: { Name: 'unless-stopped' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      PidsLimit: spec.maxConnections + OWN_THREADS,
      Memory: spec.memoryBytes,
      MemorySwap: spec.memoryBytes,
      NanoCpus: spec.cpuMillis * 1_000_000,
    },
  };
}
