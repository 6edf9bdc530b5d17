import {
  RestartPolicy,
  type AppMetadata,
  type DeployEnvRequest,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import {
  CodePolicy,
  NetworkMode,
  type ContainerLimits,
} from '../../clients/typescript/src/gen/berth/v1/common.js';
import { invalid } from '../domain/errors.js';
import type { DeployRequest } from '../domain/env/requests.js';
import { refuseUnbuilt } from './unbuilt.js';

/**
 * A `DeployEnv` message as the domain takes it; the rules of its fields are the domain's.
 * @throws BerthError NOT_BUILT for fields of later versions
 */
export function toDeployRequest(message: DeployEnvRequest, tenant: string): DeployRequest {
  refuseUnbuiltFields(message);
  if (RestartPolicy[message.restartPolicy] === undefined || message.restartPolicy < 0)
    throw invalid({ field: 'restart_policy', rule: 'must be a policy of the contract' });
  const { metadata, readyTimeoutMs } = message;
  return {
    tenant,
    userId: message.userId,
    systemId: message.systemId,
    appId: message.appId,
    requestId: message.requestId,
    files: message.files.map(({ path, content, mode }) => ({ path, content, mode })),
    ...(metadata !== undefined && { metadata: toMetadata(metadata) }),
    environment: message.env,
    ...(readyTimeoutMs !== 0 && { readyTimeoutMs }),
    force: message.force,
    ttlMs: message.ttlMs,
    idleTimeoutMs: message.idleTimeoutMs,
    queueTimeoutMs: message.queueTimeoutMs,
    labels: message.labels,
    restartPolicy: message.restartPolicy === RestartPolicy.NO ? 'no' : 'unless_stopped',
  };
}

/** The message's metadata with the keys of `metadata.json`; what is not set is left out. */
function toMetadata(metadata: AppMetadata): Record<string, unknown> {
  const { startCommand, startArgv, database, healthCheck, limits } = metadata;
  return present({
    runtimeType: metadata.runtimeType,
    baseImage: metadata.baseImage,
    containerPort: metadata.containerPort,
    startCommand: startArgv.length > 0 ? startArgv : startCommand,
    database: database && present({ ...database }),
    volumes: metadata.volumes.map((volume) => present({ ...volume })),
    healthCheck: healthCheck && present({ ...healthCheck }),
    name: metadata.name,
    description: metadata.description,
    environment: Object.keys(metadata.environment).length > 0 ? metadata.environment : undefined,
    limits: limits && toLimits(limits),
    workingDir: metadata.workingDir,
    tty: metadata.tty,
    stopGraceMs: metadata.stopGraceMs,
    readyPath: metadata.readyPath,
    readyTimeoutMs: metadata.readyTimeoutMs,
  });
}

function toLimits({ memoryBytes, cpus, maxProcesses }: ContainerLimits): Record<string, unknown> {
  return present({ memoryBytes, cpus, maxProcesses });
}

/** Without the keys that have proto's "not set" value. */
function present(values: Record<string, unknown>): Record<string, unknown> {
  const isSet = (value: unknown): boolean =>
    value !== undefined && value !== '' && value !== 0 && !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(values).filter(([, value]) => isSet(value)));
}

function refuseUnbuiltFields(message: DeployEnvRequest): void {
  const mode = message.network?.mode ?? NetworkMode.UNSPECIFIED;
  refuseUnbuilt([
    ['limits', message.limits !== undefined],
    ['allowed_sources', message.allowedSources.length > 0],
    ['network', mode !== NetworkMode.UNSPECIFIED],
    ['code_policy', message.codePolicy === CodePolicy.WARN || message.codePolicy === CodePolicy.DENY],
    ['build', message.build !== undefined],
  ]);
}
