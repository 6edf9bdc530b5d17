import type { MessagePort } from 'node:worker_threads';
import type Docker from 'dockerode';
import type { DockerFailure } from './failure.js';

/** Bodies of Docker's create calls, as its API documents them. */
export type ContainerCreateBody = Omit<Docker.ContainerCreateOptions, 'name' | 'abortSignal'>;
export type NetworkCreateBody = Omit<Docker.NetworkCreateOptions, 'abortSignal'>;
export type VolumeCreateBody = Omit<Docker.VolumeCreateOptions, 'abortSignal'>;
export type EndpointBody = Docker.EndpointSettings;
export type ExecCreateBody = Omit<Docker.ExecCreateOptions, 'abortSignal'>;
export type MountBody = Docker.MountSettings;

/** One short call to Docker. `labels` are filters such as `dev.berth.owner=berth`, all of which must match. */
export type DockerCall =
  | { op: 'version' }
  | { op: 'info' }
  | { op: 'inspectImage'; image: string }
  | { op: 'createContainer'; name: string; body: ContainerCreateBody }
  | { op: 'startContainer'; id: string }
  | { op: 'stopContainer'; id: string }
  | { op: 'removeContainer'; id: string }
  | { op: 'waitContainer'; id: string; condition: 'not-running' | 'removed' }
  | { op: 'inspectContainer'; id: string }
  | { op: 'containerHasFile'; id: string; path: string }
  | { op: 'containerStats'; id: string }
  | { op: 'containerSize'; id: string }
  | { op: 'listContainers'; labels: string[] }
  | RunInContainerCall
  | { op: 'resizeContainer'; id: string; columns: number; rows: number }
  | { op: 'createExec'; containerId: string; body: ExecCreateBody }
  | { op: 'inspectExec'; id: string }
  | { op: 'resizeExec'; id: string; columns: number; rows: number }
  | { op: 'createNetwork'; body: NetworkCreateBody }
  | { op: 'inspectNetwork'; id: string }
  | { op: 'connectNetwork'; id: string; containerId: string; endpoint: EndpointBody }
  | { op: 'disconnectNetwork'; id: string; containerId: string }
  | { op: 'removeNetwork'; id: string }
  | { op: 'listNetworks'; labels: string[]; name?: string }
  | { op: 'createVolume'; body: VolumeCreateBody }
  | { op: 'inspectVolume'; name: string }
  | { op: 'removeVolume'; name: string }
  | { op: 'listVolumes'; labels: string[] };

export interface RunInContainerCall {
  op: 'runInContainer';
  id: string;
  command: string[];
  /** `NAME=value`, over the container's own. */
  env: string[];
  /** Default: the container's. */
  user?: string;
  /** All of its standard input; undefined: none. */
  stdin?: Uint8Array;
}

export interface CallResults {
  version: { version: string; apiVersion: string; minApiVersion: string };
  info: { runtimes: string[]; defaultRuntime: string };
  inspectImage: { id: string; exposedPorts: number[] };
  createContainer: { id: string };
  startContainer: null;
  stopContainer: null;
  removeContainer: null;
  waitContainer: { exitCode: number };
  inspectContainer: ContainerDetails;
  /** False also when the container is gone. */
  containerHasFile: { has: boolean };
  containerStats: { memoryBytes: number; cpus: number; cpuSeconds: number };
  containerSize: { writtenBytes: number };
  listContainers: ContainerSummary[];
  runInContainer: { exitCode: number; stdout: string; stderr: string };
  resizeContainer: null;
  createExec: { id: string };
  /** `pid` on the daemon's host; 0: not started. `exitCode` undefined: not ended. */
  inspectExec: { pid: number; exitCode: number | undefined };
  resizeExec: null;
  createNetwork: { id: string };
  inspectNetwork: NetworkDetails;
  connectNetwork: null;
  disconnectNetwork: null;
  removeNetwork: null;
  listNetworks: NetworkDetails[];
  createVolume: { name: string };
  inspectVolume: VolumeDetails;
  removeVolume: null;
  listVolumes: VolumeDetails[];
}

export interface ContainerDetails {
  id: string;
  name: string;
  labels: Record<string, string>;
  state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  /** Of the init process on the daemon's host; 0 when not running. */
  pid: number;
  exitCode: number;
  oomKilled: boolean;
  error: string;
  image: string;
  /** Milliseconds since the epoch; 0 when it does not run. */
  startedAt: number;
  createdAt: number;
  /** When it last ended, milliseconds since the epoch; 0: never. */
  finishedAt: number;
  tty: boolean;
  stdinOpen: boolean;
  restartCount: number;
  /** Ports of the container that are published, lowest first. */
  publishedPorts: number[];
  memoryBytes: number;
  cpus: number;
  /** Its health check as Docker runs it: `['CMD', …]`, `['CMD-SHELL', text]`; empty: none. */
  healthTest: string[];
  stopTimeoutS: number | undefined;
  /** Addresses by network name. */
  addresses: Record<string, string>;
  /** Ids, by name, of the networks that it is in whenever it runs, also while it does not; empty: not known yet. */
  networkIds: Record<string, string>;
}

export interface ContainerSummary {
  id: string;
  name: string;
  labels: Record<string, string>;
  state: string;
}

export interface NetworkDetails {
  id: string;
  name: string;
  labels: Record<string, string>;
  internal: boolean;
  subnets: string[];
  /** Containers attached to it; known from inspect only. */
  containerIds: string[];
}

export interface VolumeDetails {
  name: string;
  /** Its directory on Docker's host. */
  mountpoint: string;
  labels: Record<string, string>;
}

/** One task of the pool "calls". */
export interface CallTask {
  requestId: number;
  call: DockerCall;
  /** Negotiated version of the API; undefined during the handshake. */
  apiVersion: string | undefined;
  timeoutMs: number;
  /** Any message on it cancels the call; absent when the caller cannot cancel. */
  cancelPort: MessagePort | undefined;
}

export type CallAnswer =
  | { requestId: number; ok: true; value: CallResults[DockerCall['op']] }
  | { requestId: number; ok: false; failure: DockerFailure };
