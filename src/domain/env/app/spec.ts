import type { FieldViolation } from '../../errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { EnvConfig } from '../config.js';
import type { ComposeHealthcheck } from '../compose/model.js';
import type { LoadedApp } from './app.js';
import { appInvalid } from './metadata.js';

/** What is run and how it is known to be ready: metadata, request, runtime and defaults resolved. */
export interface AppSpec {
  runtime: string;
  image: string;
  command: string[];
  /** Undefined for a CLI. */
  containerPort: number | undefined;
  workingDir: string;
  /** Where the app folder is mounted, read-only. */
  mountPath: string;
  volumes: AppVolume[];
  environment: Record<string, string>;
  healthcheck: ComposeHealthcheck | undefined;
  readiness: Readiness;
  tty: boolean;
  /** Capabilities that are kept; all others are dropped. */
  capabilities: readonly string[];
  stopGraceMs: number;
  limits: { memoryBytes: number; cpus: number; processes: number };
}

export type AppVolume =
  | { kind: 'named'; name: string; containerPath: string }
  /** A folder of the app, mounted read-only. */
  | { kind: 'app_folder'; hostPath: string; containerPath: string };

export interface Readiness {
  /** http: the app answers below 500 on `path`; health: and Docker calls it healthy; started: it was started. */
  wait: 'http' | 'health' | 'started';
  path: string;
  timeoutMs: number;
}

/** What a request changes of an app. */
export interface DeployOptions {
  environment?: Record<string, string>;
  readyTimeoutMs?: number;
}

/** The kernel's paths: no volume may hide them or be under them, and no program starts in them. */
const RESERVED = ['/proc', '/sys', '/dev'];
/** Blanks and plain words only: anything else in a command line is for a shell to understand. */
const PLAIN_WORDS = /^[A-Za-z0-9_@%+=:,./ -]+$/;

/**
 * Resolves an app to what is run. Pure.
 * @throws APP_INVALID
 */
export function resolveSpec(
  app: LoadedApp,
  runtime: Runtime,
  options: DeployOptions,
  config: EnvConfig,
): AppSpec {
  const { metadata } = app;
  const containerPort = metadata.containerPort ?? runtime.defaultContainerPort;
  const command = metadata.startCommand ?? runtime.defaultCommand(app.topLevelFiles);
  const volumes = metadata.volumes.map(toVolume);
  const violations = volumeViolations(volumes, runtime.mountPath, app);
  if (isReserved(metadata.workingDir ?? '')) {
    violations.push({ field: 'metadata.json/workingDir', rule: `must not be in ${RESERVED.join(', ')}` });
  }
  if (!command) {
    const rule = `is needed: the ${runtime.name} runtime finds no file in the app that it knows to start`;
    violations.push({ field: 'metadata.json/startCommand', rule });
  }
  if (violations.length > 0 || !command) throw appInvalid(...violations);

  const path = metadata.readyPath ?? '/';
  const custom = metadata.healthCheck?.test;
  const web = runtime.readiness(containerPort) === 'http' && containerPort !== undefined;
  const test = custom ?? (web ? runtime.healthCheck(`http://127.0.0.1:${containerPort}${path}`) : undefined);
  return {
    runtime: runtime.name,
    image: metadata.baseImage ?? runtime.defaultImage,
    command: typeof command === 'string' ? toArgv(command) : command,
    containerPort,
    workingDir: metadata.workingDir ?? runtime.workingDir,
    mountPath: runtime.mountPath,
    volumes,
    environment: { ...runtime.environment(containerPort), ...metadata.environment, ...options.environment },
    healthcheck: test && {
      test,
      intervalMs: metadata.healthCheck?.intervalMs ?? (custom && web ? 1_000 : 10_000),
      timeoutMs: metadata.healthCheck?.timeoutMs ?? 5_000,
      startPeriodMs: metadata.healthCheck?.startPeriodMs ?? 0,
      retries: metadata.healthCheck?.retries ?? 3,
    },
    readiness: {
      wait: !web ? 'started' : custom && custom[0] !== 'NONE' ? 'health' : 'http',
      path,
      timeoutMs: options.readyTimeoutMs ?? metadata.readyTimeoutMs ?? config.readyTimeoutMs,
    },
    tty: metadata.tty ?? containerPort === undefined,
    capabilities: runtime.capabilities ?? [],
    stopGraceMs: metadata.stopGraceMs ?? config.stopGraceMs,
    limits: {
      memoryBytes: metadata.limits?.memoryBytes ?? config.memoryBytes,
      cpus: metadata.limits?.cpus ?? config.cpuMillis / 1000,
      processes: metadata.limits?.maxProcesses ?? config.processes,
    },
  };
}

/**
 * A command line as arguments: plain words are started directly, so that signals reach the program; whatever else is
 * written there is for the shell in the container.
 */
function toArgv(line: string): string[] {
  return PLAIN_WORDS.test(line) ? line.trim().split(/ +/) : ['sh', '-c', line];
}

function toVolume(volume: LoadedApp['metadata']['volumes'][number]): AppVolume {
  const { containerPath, hostPath } = volume;
  if (hostPath !== undefined) return { kind: 'app_folder', hostPath, containerPath };
  const fromPath = containerPath
    .slice(1)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  return { kind: 'named', name: volume.name ?? fromPath.replace(/^-+|-+$/g, '').slice(-31), containerPath };
}

function volumeViolations(volumes: AppVolume[], mountPath: string, app: LoadedApp): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const names = new Set<string>();
  volumes.forEach((volume, index) => {
    const field = `metadata.json/volumes/${index}`;
    const rule = pathRule(volume.containerPath, mountPath, app);
    if (rule) violations.push({ field: `${field}/containerPath`, rule });
    if (volume.kind === 'app_folder' && !app.folders.has(volume.hostPath)) {
      violations.push({ field: `${field}/hostPath`, rule: 'must be a folder of the app' });
    }
    if (volume.kind === 'named' && (volume.name === '' || names.has(volume.name))) {
      violations.push({ field: `${field}/name`, rule: 'is needed: the path alone gives no name of its own' });
    }
    if (volume.kind === 'named') names.add(volume.name);
  });
  return violations;
}

function isReserved(path: string): boolean {
  return RESERVED.some((reserved) => path === reserved || path.startsWith(`${reserved}/`));
}

function pathRule(path: string, mountPath: string, app: LoadedApp): string | undefined {
  if (isReserved(path)) {
    return `must not be in ${RESERVED.join(', ')}`;
  }
  if (path === mountPath || mountPath.startsWith(`${path}/`)) return `must not hide the app at ${mountPath}`;
  if (!path.startsWith(`${mountPath}/`)) return undefined;
  // The app is mounted read-only: a mount point below it has to be there already.
  const folder = path.slice(mountPath.length + 1);
  return app.folders.has(folder) ? undefined : `must be a folder that the app has, or outside ${mountPath}`;
}
