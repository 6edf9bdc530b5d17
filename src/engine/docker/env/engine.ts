import type { Logger } from '../../../telemetry/logger.js';
import type { ComposeProject, ComposeService } from '../../../domain/env/compose/model.js';
import type {
  ConnectionCount,
  ContainerUse,
  EnvEngine,
  LogChunk,
  LogOptions,
  OwnedThing,
  ProjectContainer,
  ProjectEvent,
} from '../../../domain/env/engine.js';
import type { UndoneThing } from '../../../domain/env/model.js';
import { BerthError, messageOf } from '../../../domain/errors.js';
import type { DockerAvailability } from '../availability.js';
import { removeContainer } from '../container-removal.js';
import type { DockerCalls } from '../docker-calls.js';
import { type FailureContext, throwIfCancelled, translated } from '../docker-error.js';
import type { DockerStreams } from '../docker-streams.js';
import { inspectImage } from '../images-on-host.js';
import { isRuntimeGone, type OciRuntime } from '../oci-runtime.js';
import { ENV_LABEL, KIND_LABEL, OWNER_LABEL } from '../labels.js';
import type { ContainerDetails } from '../worker/call-messages.js';
import type { DockerEvent } from '../worker/stream-messages.js';
import { ComposeHashes } from './compose-hashes.js';
import { CONFIG_HASH_LABEL, projectFilter, SERVICE_LABEL, serviceLabels } from './compose-labels.js';
import { furtherEndpoints, serviceContainerBody } from './container-config.js';
import { checkHealth } from './health-check.js';
import { LogHolds } from './log-holds.js';
import { ProjectMeasures } from './measures.js';
import { readContainerLog } from './logs.js';
import { ensureNetwork, ensureVolume } from './networks-and-volumes.js';
import { projectDetails } from './project-details.js';
import { ProjectEnd } from './project-end.js';
import { envEvent, projectEvent } from './watch.js';

const CREATE_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 60_000;

export interface DockerEnvEngineOptions {
  calls: DockerCalls;
  streams: DockerStreams;
  availability: DockerAvailability;
  owner: string;
  /** Docker runs on this host, so that what the kernel knows of a container can be read here. */
  sameHost: boolean;
  /** What the containers run under, where it has shown that it works. */
  ociRuntime: Pick<OciRuntime, 'proven'>;
  logger: Logger;
}

/** Compose projects through Docker's API. What there is, Docker's labels say; the only state that counts is who reads a log. */
export class DockerEnvEngine implements EnvEngine {
  readonly #holds = new LogHolds();
  readonly #measures: ProjectMeasures;
  readonly #hashes: ComposeHashes;
  readonly #end: ProjectEnd;

  constructor(private readonly options: DockerEnvEngineOptions) {
    this.#hashes = new ComposeHashes(options.logger);
    this.#measures = new ProjectMeasures(options);
    this.#end = new ProjectEnd({ ...options, holds: this.#holds, measures: this.#measures });
  }

  requireImage(image: string, signal?: AbortSignal): Promise<{ digest: string; exposedPorts: number[] }> {
    return inspectImage(this.options.calls, image, signal);
  }

  /** @returns all that the project owns now, made by this call or by an earlier one */
  async createNetworksAndVolumes(project: ComposeProject, signal?: AbortSignal): Promise<UndoneThing[]> {
    const { calls, owner } = this.options;
    const context: FailureContext = {
      doing: `creating networks and volumes of ${project.name}`,
      refused: 'CONTAINER_START_FAILED',
      signal,
    };
    return translated(context, async () => {
      const things: UndoneThing[] = [];
      for (const network of project.networks) {
        if (!network.external) things.push(await ensureNetwork(calls, owner, project, network, signal));
      }
      for (const volume of project.volumes) {
        if (!volume.external) things.push(await ensureVolume(calls, owner, project, volume, signal));
      }
      throwIfCancelled(signal);
      return things;
    });
  }

  async createContainers(project: ComposeProject, signal?: AbortSignal): Promise<ProjectContainer[]> {
    const context: FailureContext = {
      doing: `creating the containers of ${project.name}`,
      refused: 'CONTAINER_START_FAILED',
      signal,
    };
    return translated(context, async () => {
      const [present, services] = await Promise.all([
        projectDetails(this.options, project.name, signal),
        this.#hashes.applied(project, signal),
      ]);
      const containers: ProjectContainer[] = [];
      for (const service of services) {
        const wanted = present.filter(({ labels }) => labels[SERVICE_LABEL] === service.name);
        containers.push(shape(await this.#ensureContainer(project, service, wanted, signal)));
      }
      return containers;
    });
  }

  async startService(projectName: string, service: string, signal?: AbortSignal): Promise<void> {
    const { calls, owner } = this.options;
    const context: FailureContext = {
      doing: `starting ${service} of ${projectName}`,
      refused: 'CONTAINER_START_FAILED',
      missing: 'ENV_CONTAINER_MISSING',
      signal,
    };
    return translated(context, async () => {
      const labels = [...projectFilter(owner, projectName), `${SERVICE_LABEL}=${service}`];
      const [container] = await calls.run({ op: 'listContainers', labels }, { signal });
      if (!container) {
        throw new BerthError(
          'ENV_CONTAINER_MISSING',
          `${projectName} has no container for service ${service}`,
        );
      }
      const start = { op: 'startContainer', id: container.id } as const;
      await calls.run(start, { signal, timeoutMs: START_TIMEOUT_MS }).catch((error: unknown) => {
        if (!isRuntimeGone(error)) throw error;
        const message = `${context.doing}: ${messageOf(error)}. Its container was made for a runtime that Docker no longer has: deploy the app anew with force, which keeps its named volumes`;
        throw new BerthError('CONTAINER_START_FAILED', message, { cause: error });
      });
    });
  }

  stop(projectName: string, signal?: AbortSignal, options?: { allOrNothing?: boolean }): Promise<void> {
    return this.#end.stop(projectName, signal, options);
  }

  down(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
    signal?: AbortSignal,
  ): Promise<{ removed: UndoneThing[]; notStopped: string[] }> {
    return this.#end.down(projectName, options, signal);
  }

  remove(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
    signal?: AbortSignal,
  ): Promise<UndoneThing[]> {
    return this.#end.remove(projectName, options, signal);
  }

  async inspect(projectName: string, signal?: AbortSignal): Promise<ProjectContainer[]> {
    const context: FailureContext = { doing: `looking at ${projectName}`, refused: 'DOCKER_ERROR', signal };
    return translated(context, async () =>
      (await projectDetails(this.options, projectName, signal)).map(shape),
    );
  }

  checkHealth(
    projectName: string,
    service: string,
    signal?: AbortSignal,
  ): Promise<{ healthy: boolean; output: string }> {
    return checkHealth(this.options, projectName, service, signal);
  }

  async listOwned(): Promise<OwnedThing[]> {
    const { calls, owner } = this.options;
    const labels = [`${OWNER_LABEL}=${owner}`, `${KIND_LABEL}=env`];
    return translated({ doing: 'listing what envs own', refused: 'DOCKER_ERROR' }, async () => {
      const [containers, networks, volumes] = await Promise.all([
        calls.run({ op: 'listContainers', labels }),
        calls.run({ op: 'listNetworks', labels }),
        calls.run({ op: 'listVolumes', labels }),
      ]);
      const envId = (thing: { labels: Record<string, string> }): string => thing.labels[ENV_LABEL] ?? '';
      return [
        ...containers.map((c) => ({ kind: 'container' as const, name: c.name, id: c.id, envId: envId(c) })),
        ...networks.map((n) => ({ kind: 'network' as const, name: n.name, id: n.id, envId: envId(n) })),
        ...volumes.map((v) => ({ kind: 'volume' as const, name: v.name, id: v.name, envId: envId(v) })),
      ];
    });
  }

  async watch(
    projectName: string,
    onEvent: (event: ProjectEvent) => void,
    onEnd: (error: Error | undefined) => void,
  ): Promise<{ close(): void }> {
    return this.#subscribe(`watching ${projectName}`, onEnd, (event) => {
      const known = projectEvent(event, projectName);
      if (known) onEvent(known);
    });
  }

  async watchAll(
    onEvent: (envId: string, event: ProjectEvent) => void,
    onEnd: (error: Error | undefined) => void,
  ): Promise<{ close(): void }> {
    return this.#subscribe('watching envs', onEnd, (event) => {
      const known = envEvent(event);
      if (known) onEvent(known.envId, known.event);
    });
  }

  diskBytes(projectName: string, signal?: AbortSignal): Promise<number> {
    return this.#measures.diskBytes(projectName, signal);
  }

  use(containerId: string, signal?: AbortSignal): Promise<ContainerUse> {
    return this.#measures.use(containerId, signal);
  }

  connections(containerId: string, signal?: AbortSignal): Promise<ConnectionCount | undefined> {
    return this.#measures.connections(containerId, signal);
  }

  logs(containerId: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogChunk> {
    return readContainerLog(this.options.streams, containerId, options, signal);
  }

  holdLog(containerId: string): () => void {
    return this.#holds.hold(containerId);
  }

  available(signal: AbortSignal): Promise<void> {
    return this.options.availability.whenUp(signal);
  }

  #subscribe(
    doing: string,
    onEnd: (error: Error | undefined) => void,
    onEvent: (event: DockerEvent) => void,
  ): { close(): void } {
    const { availability } = this.options;
    const close = availability.subscribe({
      event: onEvent,
      lost: (reason) => onEnd(new BerthError('DOCKER_UNAVAILABLE', `${doing}: ${reason}`)),
    });
    if (!close) {
      const { state } = availability;
      const reason = state.state === 'down' ? state.reason : 'Docker went away';
      throw new BerthError('DOCKER_UNAVAILABLE', `${doing}: ${reason}`, { retryAfterMs: 2_000 });
    }
    return { close: () => void close() };
  }

  /** Keeps the container that is as wanted, replaces one that is not. */
  async #ensureContainer(
    project: ComposeProject,
    service: ComposeService,
    present: ContainerDetails[],
    signal: AbortSignal | undefined,
  ): Promise<ContainerDetails> {
    const { calls, owner, ociRuntime } = this.options;
    const kept = present.find((container) => container.labels[CONFIG_HASH_LABEL] === service.configHash);
    const others = present.filter((container) => container !== kept);
    await this.#holds.released(others.map(({ id }) => id));
    for (const outdated of others) {
      await removeContainer(calls, outdated.id);
    }
    if (kept) return kept;
    const image = await inspectImage(calls, service.image, signal);
    const labels = serviceLabels(project, service, owner, image.digest);
    throwIfCancelled(signal);
    // Not cancelled in flight: Docker would finish it, unseen by the undo that follows.
    const { id } = await calls.run(
      {
        op: 'createContainer',
        name: service.containerName,
        body: serviceContainerBody(project, service, labels, ociRuntime.proven),
      },
      { timeoutMs: CREATE_TIMEOUT_MS },
    );
    for (const { network, endpoint } of furtherEndpoints(project, service)) {
      await calls.run({ op: 'connectNetwork', id: network, containerId: id, endpoint });
    }
    throwIfCancelled(signal);
    return calls.run({ op: 'inspectContainer', id }, { signal });
  }
}

function shape(container: ContainerDetails): ProjectContainer {
  const { labels, pid: _, stopTimeoutS: __, healthTest: ___, createdAt: ____, ...shown } = container;
  return { ...shown, service: labels[SERVICE_LABEL] ?? '' };
}
