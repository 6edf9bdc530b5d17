import type { ComposeMount, ComposeProject, ComposeService } from '../../../domain/env/compose/model.js';
import type { ContainerCreateBody, EndpointBody } from '../worker/call-messages.js';

const NS_PER_MS = 1_000_000;
const NANO_CPUS = 1_000_000_000;
/** Every container's log is rotated, also where the file says nothing: a chatty app must not fill the disk. */
const LOG_ROTATION = { 'max-size': '10m', 'max-file': '3' };

type HostConfig = NonNullable<ContainerCreateBody['HostConfig']>;

/**
 * What Docker is asked for, for one service. Only the first network is in it; the others are connected afterwards.
 * @param runtime Docker's, such as `crun`; undefined: its default
 */
export function serviceContainerBody(
  project: ComposeProject,
  service: ComposeService,
  labels: Record<string, string>,
  runtime: string | undefined,
): ContainerCreateBody {
  const [firstNetwork] = service.networks;
  return {
    Image: service.image,
    ...(service.command === undefined ? {} : { Cmd: service.command }),
    ...(service.entrypoint === undefined ? {} : { Entrypoint: service.entrypoint }),
    ...(service.workingDir === undefined ? {} : { WorkingDir: service.workingDir }),
    ...(service.user === undefined ? {} : { User: service.user }),
    Env: Object.entries(service.environment).map(([name, value]) => `${name}=${value}`),
    Labels: labels,
    Tty: service.tty,
    OpenStdin: service.stdinOpen,
    StopTimeout: Math.ceil(service.stopGraceMs / 1000),
    ExposedPorts: Object.fromEntries(service.ports.map((port) => [portKey(port), {}])),
    ...healthcheck(service),
    HostConfig: { ...hostConfig(project, service), ...(runtime === undefined ? {} : { Runtime: runtime }) },
    ...(firstNetwork === undefined
      ? {}
      : {
          NetworkingConfig: {
            EndpointsConfig: {
              [networkName(project, firstNetwork.key)]: endpoint(service, firstNetwork.aliases),
            },
          },
        }),
  };
}

/** Networks after the first, which Docker's API before 1.44 does not take on creation. */
export function furtherEndpoints(
  project: ComposeProject,
  service: ComposeService,
): { network: string; endpoint: EndpointBody }[] {
  return service.networks.slice(1).map(({ key, aliases }) => ({
    network: networkName(project, key),
    endpoint: endpoint(service, aliases),
  }));
}

function hostConfig(project: ComposeProject, service: ComposeService): HostConfig {
  const [firstNetwork] = service.networks;
  return {
    // A service without a network has none, not Docker's default bridge, where it would meet others.
    NetworkMode: firstNetwork === undefined ? 'none' : networkName(project, firstNetwork.key),
    PortBindings: portBindings(service),
    Mounts: service.mounts.map((mount) => dockerMount(project, mount)),
    Tmpfs: Object.fromEntries(service.tmpfs.map(tmpfsEntry)),
    ReadonlyRootfs: service.readOnly,
    CapDrop: service.capDrop,
    CapAdd: service.capAdd,
    SecurityOpt: service.securityOpt,
    RestartPolicy: { Name: service.restart },
    LogConfig: logConfig(service),
    Init: service.init,
    ...(service.pidsLimit === undefined ? {} : { PidsLimit: service.pidsLimit }),
    ...(service.memoryBytes === undefined
      ? {}
      : { Memory: service.memoryBytes, MemorySwap: service.memoryBytes }),
    ...(service.cpus === undefined ? {} : { NanoCpus: Math.round(service.cpus * NANO_CPUS) }),
  };
}

function portBindings(service: ComposeService): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of service.ports) {
    (bindings[portKey(port)] ??= []).push({ HostIp: port.hostIp, HostPort: String(port.hostPort) });
  }
  return bindings;
}

function portKey(port: ComposeService['ports'][number]): string {
  return `${port.containerPort}/${port.protocol}`;
}

function dockerMount(
  project: ComposeProject,
  mount: ComposeMount,
): NonNullable<HostConfig['Mounts']>[number] {
  const source = mount.type === 'bind' ? mount.source : volumeName(project, mount.source);
  return { Type: mount.type, Source: source, Target: mount.target, ReadOnly: mount.readOnly };
}

function tmpfsEntry(entry: string): [string, string] {
  const colon = entry.indexOf(':');
  return colon < 0 ? [entry, ''] : [entry.slice(0, colon), entry.slice(colon + 1)];
}

function logConfig(service: ComposeService): NonNullable<HostConfig['LogConfig']> {
  const { driver, options } = service.logging ?? { driver: 'json-file', options: {} };
  return { Type: driver, Config: driver === 'json-file' ? { ...LOG_ROTATION, ...options } : options };
}

function healthcheck(service: ComposeService): Pick<ContainerCreateBody, 'Healthcheck'> {
  const check = service.healthcheck;
  if (!check) return {};
  return {
    Healthcheck: {
      Test: check.test,
      Interval: check.intervalMs * NS_PER_MS,
      Timeout: check.timeoutMs * NS_PER_MS,
      StartPeriod: check.startPeriodMs * NS_PER_MS,
      Retries: check.retries,
    },
  };
}

function endpoint(service: ComposeService, aliases: string[]): EndpointBody {
  return { Aliases: [...new Set([service.containerName, service.name, ...aliases])] };
}

function networkName(project: ComposeProject, key: string): string {
  return project.networks.find((network) => network.key === key)?.name ?? key;
}

function volumeName(project: ComposeProject, key: string): string {
  return project.volumes.find((volume) => volume.key === key)?.name ?? key;
}
