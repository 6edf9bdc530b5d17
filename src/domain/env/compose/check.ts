import { dirname, sep } from 'node:path';
import type { z } from 'zod';
import { configHash } from './config-hash.js';
import type { ComposeMount, ComposeProject, ComposeService } from './model.js';
import { composeInvalid, parseCompose, type ComposeFinding } from './parse.js';
import { composeSubset, type ParsedCompose, type ParsedService } from './subset.js';

/** What a compose file may refer to on the host. */
export interface ComposeBounds {
  /** Project and env id; what the file makes is named after it. */
  envId: string;
  /** Folders that may be mounted, themselves or what is in them. */
  mountable: readonly string[];
}

/**
 * Reads a compose file: parses it, checks it against the subset that Berth applies and against what this env may touch,
 * and puts its services in start order.
 * @param configFile absolute path of the file, for the project's labels and for messages
 * @throws COMPOSE_INVALID naming each key and rule
 */
export function readCompose(text: string, configFile: string, bounds: ComposeBounds): ComposeProject {
  const result = composeSubset.safeParse(parseCompose(text, configFile));
  if (!result.success) throw composeInvalid(configFile, result.error.issues.flatMap(findingsOf));
  const compose = result.data;
  const findings = [
    ...Object.entries(compose.services).flatMap(([name, service]) =>
      serviceFindings(name, service, compose, bounds),
    ),
    ...ownershipFindings(compose, bounds),
  ];
  const order = startOrder(compose);
  if (!order) findings.push({ key: 'services', rule: 'must not depend on each other in a circle' });
  if (findings.length > 0 || !order) throw composeInvalid(configFile, findings);
  return {
    name: compose.name,
    workingDir: dirname(configFile),
    configFile,
    services: order.map(([name, service]) => toService(name, service)),
    networks: Object.entries(compose.networks).map(([key, network]) => ({
      key,
      name: network.name,
      external: network.external,
      internal: network.internal,
      subnet: network.ipam?.config[0]?.subnet,
      labels: network.labels,
    })),
    volumes: Object.entries(compose.volumes).map(([key, volume]) => ({ key, ...volume })),
  };
}

function findingsOf(issue: z.core.$ZodIssue): ComposeFinding[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const rule = 'is not among the compose keys that Berth applies';
    return issue.keys.map((key) => ({ key: path ? `${path}.${key}` : key, rule }));
  }
  return [{ key: path || 'file', rule: issue.message }];
}

function serviceFindings(
  name: string,
  service: ParsedService,
  compose: ParsedCompose,
  bounds: ComposeBounds,
): ComposeFinding[] {
  const findings: ComposeFinding[] = [];
  const at = (key: string, rule: string) => findings.push({ key: `services.${name}.${key}`, rule });
  if (service.memswap_limit !== service.mem_limit) at('memswap_limit', 'must equal mem_limit');
  service.volumes.forEach((mount, index) => {
    const key = `volumes.${index}.source`;
    if (mount.type === 'volume' && !compose.volumes[mount.source]) at(key, 'must be a key of volumes');
    if (mount.type === 'bind' && !isWithin(mount.source, bounds.mountable)) {
      at(key, 'must be in the directory of the env or in the folder of its app');
    }
    if (mount.type === 'bind' && !mount.read_only)
      at(`volumes.${index}.read_only`, 'must be true for a bind mount');
  });
  for (const key of Object.keys(service.networks)) {
    if (!compose.networks[key]) at(`networks.${key}`, 'must be a key of networks');
  }
  for (const key of Object.keys(service.depends_on)) {
    if (!compose.services[key]) at(`depends_on.${key}`, 'must be a key of services');
  }
  return findings;
}

/** Names on the host are the env's own: a file must not take hold of another env's container, network or volume. */
function ownershipFindings(compose: ParsedCompose, { envId }: ComposeBounds): ComposeFinding[] {
  const findings: ComposeFinding[] = [];
  if (compose.name !== envId) findings.push({ key: 'name', rule: `must be ${envId}` });
  const own = (key: string, value: string, separator: string) => {
    if (value !== envId && !value.startsWith(envId + separator)) {
      findings.push({ key, rule: `must be ${envId} or start with ${envId}${separator}` });
    }
  };
  for (const [key, service] of Object.entries(compose.services)) {
    own(`services.${key}.container_name`, service.container_name, '-');
  }
  if (!compose.services['app']) findings.push({ key: 'services.app', rule: 'is missing' });
  else if (compose.services['app'].container_name !== envId) {
    findings.push({ key: 'services.app.container_name', rule: `must be ${envId}` });
  }
  for (const [key, network] of Object.entries(compose.networks)) {
    if (!network.external) own(`networks.${key}.name`, network.name, '-');
  }
  for (const [key, volume] of Object.entries(compose.volumes)) {
    if (!volume.external) own(`volumes.${key}.name`, volume.name, '_');
    else findings.push({ key: `volumes.${key}.external`, rule: 'must be false' });
  }
  return findings;
}

function isWithin(path: string, folders: readonly string[]): boolean {
  if (!path.startsWith('/') || path.split('/').includes('..')) return false;
  return folders.some((folder) => path === folder || path.startsWith(folder + sep));
}

/** Services after what they depend on; undefined when they go round in a circle. */
function startOrder(compose: ParsedCompose): [string, ParsedService][] | undefined {
  const left = new Map(Object.entries(compose.services));
  const order: [string, ParsedService][] = [];
  while (left.size > 0) {
    const next = [...left].find(([, service]) =>
      Object.keys(service.depends_on).every((key) => !left.has(key)),
    );
    if (!next) return undefined;
    order.push(next);
    left.delete(next[0]);
  }
  return order;
}

function toService(name: string, service: ParsedService): ComposeService {
  const health = service.healthcheck;
  return {
    name,
    image: service.image,
    containerName: service.container_name,
    command: service.command,
    entrypoint: service.entrypoint,
    workingDir: service.working_dir,
    user: service.user,
    environment: service.environment,
    ports: service.ports,
    mounts: service.volumes.map(toMount),
    networks: Object.entries(service.networks).map(([key, { aliases }]) => ({ key, aliases })),
    dependsOn: Object.entries(service.depends_on).map(([key, { condition }]) => ({
      service: key,
      condition,
    })),
    healthcheck: health && {
      test: health.test,
      intervalMs: health.interval,
      timeoutMs: health.timeout,
      startPeriodMs: health.start_period ?? 0,
      retries: health.retries,
    },
    tty: service.tty,
    stdinOpen: service.stdin_open,
    readOnly: service.read_only,
    capDrop: service.cap_drop,
    capAdd: service.cap_add,
    securityOpt: service.security_opt,
    pidsLimit: service.pids_limit,
    memoryBytes: service.mem_limit,
    cpus: service.cpus,
    restart: service.restart,
    stopGraceMs: service.stop_grace_period,
    logging: service.logging,
    labels: service.labels,
    tmpfs: service.tmpfs,
    init: service.init ?? false,
    configHash: configHash(service),
  };
}

function toMount(mount: ParsedService['volumes'][number]): ComposeMount {
  return { type: mount.type, source: mount.source, target: mount.target, readOnly: mount.read_only };
}
