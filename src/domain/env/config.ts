/** Settings of the env domain. Sizes in bytes, times in milliseconds; the defaults are in `config/sections/env.ts`. */
export interface EnvConfig {
  /** Owner label of this daemon; also tells its operations from those of another daemon on the same database. */
  owner: string;
  /** Name of the daemon's host, recorded with its envs. */
  host: string;
  /** Daemons on other hosts may use the same store. */
  otherHosts: boolean;
  /** Folder of the apps: `{appsPath}/{appId}/metadata.json`. Absolute. */
  appsPath: string;
  /** Folder of the env directories: `{basePath}/{tenant}/{user}/{system}/{app}`. Absolute. */
  basePath: string;
  /** Host name in the URLs of envs. */
  serverHost: string;
  /** Host address that env ports are published on. */
  bindHost: string;
  /** First and last host port for envs, both included. */
  portFirst: number;
  portLast: number;
  /** IPv4 range that env networks take their /28 from: the n-th subnet for the n-th port. */
  subnets: string;
  /** Memory of an app container; swap is limited to the same. */
  memoryBytes: number;
  /** CPU of an app container in thousandths of a core. */
  cpuMillis: number;
  /** Processes and threads in an app container. */
  processes: number;
  /** Time an app has to answer when its metadata names none. */
  readyTimeoutMs: number;
  /** Time a database of an env's own has to take connections. */
  databaseReadyTimeoutMs: number;
  /** Time between SIGTERM and SIGKILL. */
  stopGraceMs: number;
  /** Size and number of an app's files, together. */
  maxAppBytes: number;
  maxAppFiles: number;
  /** Number, and size with all versions that are kept, of what a tenant may have uploaded. */
  maxTenantApps: number;
  maxTenantAppBytes: number;
  /** Deployments at once; more wait in order. */
  maxConcurrentOperations: number;
  /** Deployments that may wait; more are refused. */
  maxQueuedOperations: number;
  /** Time a deployment may wait when it names none. */
  queueTimeoutMs: number;
  /** Time to live of an env that names none. */
  ttlMs: number;
  /** Time without activity after which an env that names none is destroyed. */
  idleTimeoutMs: number;
  /** How long before its end an env's event stream warns of it; at most half of its time. */
  warnBeforeMs: number;
  /** How often the time and the traffic of envs are looked at. */
  sweepIntervalMs: number;
  /** What the directory, the volumes and the written layers of one env may take on disk. */
  maxDiskBytes: number;
  /** Free space on disk that a deployment leaves. */
  minFreeDiskBytes: number;
  /** How often what could not be recovered or undone is tried again, and strays are looked for. */
  reconcileIntervalMs: number;
  /** How many ports a deployment tries when Docker finds one taken. */
  portAttempts: number;
  /** Time one undo may take. */
  undoTimeoutMs: number;
}

/** What has no key of its own in the daemon's configuration. */
export const FIXED_ENV_SETTINGS = { portAttempts: 5, undoTimeoutMs: 60_000 } as const;
