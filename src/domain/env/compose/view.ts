import { join } from 'node:path';
import type { PreparedDatabase } from '../../database/provider.js';
import type { AppSpec } from '../app/spec.js';
import type { Env } from '../model.js';
import { formatDuration } from './duration.js';
import { READINESS_LABEL, readinessLabel } from './readiness-label.js';
import { yamlList, yamlScalar } from './scalar.js';

/** Size of an app's log on disk: at most three files of ten megabytes. */
const LOG_MAX_SIZE = '10m';
const LOG_MAX_FILES = '3';
const MIB = 1024 * 1024;

/** What the compose file of one env is made of. */
export interface ComposeInput {
  env: Pick<Env, 'id' | 'appDigest' | 'restartPolicy'>;
  spec: AppSpec;
  /** Folder mounted read-only as the app. */
  appDirectory: string;
  port: number;
  bindHost: string;
  subnet: string;
  database: PreparedDatabase | undefined;
}

/**
 * The variables of `docker-compose.mustache`: seed 003's table, and what Berth adds to it. Values are raw; the template
 * quotes what stands in two braces. `command`, `healthCheckTest` and `additionalServices` are YAML already.
 */
export function composeView(input: ComposeInput) {
  const { env, spec, database } = input;
  const { healthcheck } = spec;
  const published = spec.containerPort !== undefined;
  const namedVolumes = [
    ...spec.volumes
      .filter((volume) => volume.kind === 'named')
      .map((volume) => ({ key: volume.name, name: `${env.id}_${volume.name}` })),
    ...(database?.volumes ?? []),
  ];
  return {
    projectName: env.id,
    baseImage: spec.image,
    containerName: env.id,
    command: yamlList(spec.command),
    hostPort: input.port,
    containerPort: spec.containerPort ?? null,
    ports: published ? `${bracketed(input.bindHost)}:${input.port}:${spec.containerPort}` : '',
    volumes: mounts(input),
    environment: pairs(environment(input)),
    workingDir: spec.workingDir,
    ttyEnabled: spec.tty,
    stdinOpen: spec.tty,
    dependsOn: (database?.services.length ?? 0) > 0,
    dependsOnList: database?.services.map((service) => service.name) ?? [],
    healthCheck: healthcheck !== undefined,
    healthCheckTest: yamlList(healthcheck?.test ?? []),
    healthCheckInterval: formatDuration(healthcheck?.intervalMs ?? 0),
    healthCheckTimeout: formatDuration(healthcheck?.timeoutMs ?? 0),
    healthCheckStartPeriod: formatDuration(healthcheck?.startPeriodMs ?? 0),
    healthCheckRetries: healthcheck?.retries ?? 0,
    memoryLimit: memoryText(spec.limits.memoryBytes),
    cpus: spec.limits.cpus,
    pidsLimit: spec.limits.processes,
    // A CLI that came to its end has ended; a server comes back with the host unless it was stopped.
    restart: published && env.restartPolicy === 'unless_stopped' ? 'unless-stopped' : 'no',
    capAdd: spec.capabilities.length === 0 ? '' : yamlList(spec.capabilities),
    stopGracePeriod: formatDuration(spec.stopGraceMs),
    logMaxSize: LOG_MAX_SIZE,
    logMaxFiles: LOG_MAX_FILES,
    labels: pairs({
      'dev.berth.app-digest': env.appDigest,
      'dev.berth.runtime': spec.runtime,
      [READINESS_LABEL]: readinessLabel(spec.readiness),
    }),
    additionalServices: database?.services.map((service) => service.yaml) ?? [],
    networkName: `${env.id}-net`,
    subnet: input.subnet,
    databaseNetwork: database?.network ?? '',
    namedVolumes,
    hasNamedVolumes: namedVolumes.length > 0,
  };
}

/** Rendered with `yamlScalar` as the template's escape. */
export const COMPOSE_TEMPLATE = 'docker-compose';
export const composeEscape = yamlScalar;

/** Berth's variables win over the app's own (features D13). */
function environment({ spec, port, database }: ComposeInput): Record<string, string> {
  return {
    ...spec.environment,
    APP_PORT: String(port),
    ...(spec.containerPort === undefined ? {} : { CONTAINER_PORT: String(spec.containerPort) }),
    ...database?.environment,
  };
}

function mounts({ spec, appDirectory }: ComposeInput) {
  const mount = (type: 'bind' | 'volume', hostPath: string, containerPath: string) => {
    const readOnly = type === 'bind';
    return { type, hostPath, containerPath, readOnly, options: readOnly ? 'ro' : '' };
  };
  return [
    mount('bind', appDirectory, spec.mountPath),
    ...spec.volumes.map((volume) =>
      volume.kind === 'named'
        ? mount('volume', volume.name, volume.containerPath)
        : mount('bind', join(appDirectory, volume.hostPath), volume.containerPath),
    ),
  ];
}

function pairs(record: Record<string, string>): { key: string; value: string }[] {
  return Object.entries(record).map(([key, value]) => ({ key, value }));
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function memoryText(bytes: number): string {
  return bytes % MIB === 0 ? `${bytes / MIB}m` : `${bytes}b`;
}
