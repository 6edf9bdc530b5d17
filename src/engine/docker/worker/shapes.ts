import type Docker from 'dockerode';
import type { ContainerDetails, ContainerSummary, NetworkDetails, VolumeDetails } from './call-messages.js';

// Docker's answers reduced to what Berth uses, before they cross to the main thread.

export function imageShape(image: Docker.ImageInspectInfo): { id: string; exposedPorts: number[] } {
  const ports = Object.keys(image.Config?.ExposedPorts ?? {})
    .filter((port) => port.endsWith('/tcp'))
    .map((port) => Number.parseInt(port, 10));
  return { id: image.Id, exposedPorts: ports.sort((a, b) => a - b) };
}

export function containerShape(info: Docker.ContainerInspectInfo): ContainerDetails {
  const addresses: Record<string, string> = {};
  const networkIds: Record<string, string> = {};
  for (const [network, endpoint] of Object.entries(info.NetworkSettings.Networks ?? {})) {
    if (endpoint?.IPAddress) addresses[network] = endpoint.IPAddress;
    networkIds[network] = endpoint?.NetworkID ?? '';
  }
  const timeout: unknown = 'StopTimeout' in info.Config ? info.Config.StopTimeout : undefined;
  return {
    id: info.Id,
    name: info.Name.replace(/^\//, ''),
    labels: info.Config.Labels ?? {},
    state: info.State.Status as ContainerDetails['state'],
    health: healthShape(info.State.Health?.Status),
    pid: info.State.Pid,
    exitCode: info.State.ExitCode,
    oomKilled: info.State.OOMKilled,
    error: info.State.Error,
    image: info.Config.Image,
    startedAt: info.State.Running ? Date.parse(info.State.StartedAt) : 0,
    createdAt: Date.parse(info.Created),
    // Docker's year 1 stands for never.
    finishedAt: Math.max(0, Date.parse(info.State.FinishedAt) || 0),
    tty: info.Config.Tty,
    stdinOpen: info.Config.OpenStdin,
    restartCount: info.RestartCount,
    publishedPorts: Object.keys((info.HostConfig.PortBindings ?? {}) as object)
      .map((port) => Number.parseInt(port, 10))
      .sort((a, b) => a - b),
    memoryBytes: info.HostConfig.Memory ?? 0,
    cpus: (info.HostConfig.NanoCpus ?? 0) / 1e9,
    healthTest: healthTest(info),
    stopTimeoutS: typeof timeout === 'number' ? timeout : undefined,
    addresses,
    networkIds,
  };
}

/** Two looks at the counters, a second apart. `inactive_file` is cache that the kernel may drop; cgroup v1 calls it total_. */
export function statsShape(stats: Docker.ContainerStats): {
  memoryBytes: number;
  cpus: number;
  cpuSeconds: number;
} {
  const { cpu_stats: now, precpu_stats: before, memory_stats: memory } = stats;
  const detail = (memory.stats ?? {}) as unknown as Record<string, number>;
  const cache = detail['total_inactive_file'] ?? detail['inactive_file'] ?? 0;
  const cpuNs = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const elapsedNs = (Date.parse(stats.read) - Date.parse(stats.preread)) * 1e6;
  return {
    memoryBytes: Math.max(0, (memory.usage ?? 0) - cache),
    cpus: elapsedNs > 0 && cpuNs > 0 ? cpuNs / elapsedNs : 0,
    cpuSeconds: now.cpu_usage.total_usage / 1e9,
  };
}

export function summaryShape(info: Docker.ContainerInfo): ContainerSummary {
  return {
    id: info.Id,
    name: (info.Names[0] ?? info.Id).replace(/^\//, ''),
    labels: info.Labels ?? {},
    state: info.State,
  };
}

export function networkShape(info: Docker.NetworkInspectInfo): NetworkDetails {
  const subnets: string[] = [];
  for (const config of info.IPAM?.Config ?? []) {
    if (typeof config.Subnet === 'string') subnets.push(config.Subnet);
  }
  return {
    id: info.Id,
    name: info.Name,
    labels: info.Labels ?? {},
    internal: info.Internal,
    subnets,
    containerIds: Object.keys(info.Containers ?? {}),
  };
}

export function volumeShape(info: {
  Name: string;
  Mountpoint: string;
  Labels: Record<string, string> | null;
}): VolumeDetails {
  return { name: info.Name, mountpoint: info.Mountpoint, labels: info.Labels ?? {} };
}

function healthTest({ Config }: Docker.ContainerInspectInfo): string[] {
  const { Test } = Config.Healthcheck ?? {};
  return Array.isArray(Test) && Test[0] !== 'NONE' ? Test : [];
}

function healthShape(status: string | undefined): ContainerDetails['health'] {
  switch (status) {
    case 'starting':
    case 'healthy':
    case 'unhealthy':
      return status;
    default:
      return 'none';
  }
}
