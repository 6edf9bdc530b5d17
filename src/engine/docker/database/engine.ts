import {
  SERVER_HOST,
  type DatabaseServer,
  type DatabaseServerEngine,
  type DatabaseServerSpec,
  type SqlOutcome,
  type SqlSession,
} from '../../../domain/database/server-engine.js';
import type { ComposeNetwork } from '../../../domain/env/compose/model.js';
import type { UndoneThing } from '../../../domain/env/model.js';
import { sharedNetworkName } from '../../../domain/database/names.js';
import type { DockerCalls } from '../docker-calls.js';
import { isFailure, translated, type FailureContext } from '../docker-error.js';
import type { DockerStreams } from '../docker-streams.js';
import { readContainerLog } from '../env/logs.js';
import { ensureNetwork, removeNetwork } from '../env/networks-and-volumes.js';
import { inspectImage } from '../images-on-host.js';
import { ENV_LABEL, KIND_LABEL, OWNER_LABEL } from '../labels.js';
import type { ContainerDetails, NetworkDetails } from '../worker/call-messages.js';
import { mysqlClient } from './mysql-client.js';
import {
  DATABASE_KIND,
  serverContainerBody,
  serverLabels,
  serverNames,
  type ServerNames,
} from './server-container.js';

const CREATE_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const LOG_LINES = 5;
/** Key of the network in an env's compose file, and its label there. */
const NETWORK_KEY = 'database';
const NETWORK_LABEL = 'dev.berth.database';
/** A user that owns nothing in the container. */
const NOBODY = '65534:65534';

export interface DockerDatabaseEngineOptions {
  calls: DockerCalls;
  streams: DockerStreams;
  owner: string;
}

/** The shared database server through Docker's API. Holds no state: what there is, Docker's labels say. */
export class DockerDatabaseEngine implements DatabaseServerEngine {
  readonly #names: ServerNames;

  constructor(private readonly options: DockerDatabaseEngineOptions) {
    this.#names = serverNames(options.owner);
  }

  inspect(signal?: AbortSignal): Promise<DatabaseServer | undefined> {
    return this.#translated('looking for the shared database', signal, async () => {
      const container = await this.#container(signal);
      return container && shape(container);
    });
  }

  hasData(signal?: AbortSignal): Promise<boolean> {
    return this.#translated('looking for the data of the shared database', signal, async () => {
      const volumes = await this.options.calls.run({ op: 'listVolumes', labels: this.#filter() }, { signal });
      return volumes.length > 0;
    });
  }

  start(spec: DatabaseServerSpec, signal?: AbortSignal): Promise<DatabaseServer> {
    return this.#translated('starting the shared database', signal, async () => {
      const { calls } = this.options;
      const present = await this.#container(signal);
      if (present) await this.#mendNetworks(spec, present, signal);
      const id = present?.id ?? (await this.#create(spec, signal));
      await calls.run({ op: 'startContainer', id }, { timeoutMs: CREATE_TIMEOUT_MS });
      return shape(await calls.run({ op: 'inspectContainer', id }, { signal }));
    });
  }

  stop(signal?: AbortSignal): Promise<void> {
    return this.#translated('stopping the shared database', signal, async () => {
      const { calls } = this.options;
      const container = await this.#container(signal);
      if (container)
        await calls.run({ op: 'stopContainer', id: container.id }, { timeoutMs: STOP_TIMEOUT_MS });
    });
  }

  async runSql(
    sql: Uint8Array,
    session: SqlSession,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<SqlOutcome> {
    const { calls } = this.options;
    const context = { ...unavailable('running statements in the shared database'), signal };
    return translated(context, async () => {
      const { command, env } = mysqlClient(session);
      const call = {
        op: 'runInContainer',
        id: this.#names.container,
        command,
        env,
        user: NOBODY,
        stdin: sql,
      } as const;
      const { exitCode, stdout, stderr } = await calls.run(call, { signal, timeoutMs });
      return { exitCode, rows: stdout, errors: stderr };
    });
  }

  async logTail(signal: AbortSignal = AbortSignal.timeout(CREATE_TIMEOUT_MS)): Promise<string> {
    const lines: string[] = [];
    const { container } = this.#names;
    const options = { follow: false, tail: LOG_LINES };
    for await (const chunk of readContainerLog(this.options.streams, container, options, signal)) {
      lines.push(Buffer.from(chunk.data).toString('utf8').trim());
    }
    return lines.slice(-LOG_LINES).join(' | ');
  }

  join(envId: string, subnet: string, signal?: AbortSignal): Promise<string> {
    return this.#translated(`joining the shared database and ${envId}`, signal, async () => {
      const { calls, owner } = this.options;
      const network: ComposeNetwork = {
        key: NETWORK_KEY,
        name: sharedNetworkName(envId),
        external: false,
        // Neither way out of it: it leads to the server and nowhere else.
        internal: true,
        subnet,
        labels: { [NETWORK_LABEL]: this.#names.container },
      };
      await ensureNetwork(calls, owner, { name: envId }, network, signal);
      await this.#connect(network.name);
      return network.name;
    });
  }

  leave(envId: string, signal?: AbortSignal): Promise<UndoneThing[]> {
    return this.#translated(`parting the shared database and ${envId}`, signal, async () => {
      const found = await this.#envNetworks(signal);
      const networks = found.filter((network) => network.labels[ENV_LABEL] === envId);
      for (const { id } of networks) await removeNetwork(this.options.calls, id);
      return networks.map(({ name }) => ({ kind: 'network' as const, name }));
    });
  }

  joinedEnvs(signal?: AbortSignal): Promise<string[]> {
    return this.#translated('listing the networks of the shared database', signal, async () =>
      (await this.#envNetworks(signal)).map(({ labels }) => labels[ENV_LABEL] ?? ''),
    );
  }

  rejoin(signal?: AbortSignal): Promise<void> {
    return this.#translated('joining the shared database and its envs again', signal, async () => {
      for (const { name } of await this.#envNetworks(signal)) await this.#connect(name);
    });
  }

  /** Another caller, or another life of the daemon, may be making the same: whoever comes second takes what is there. */
  async #create(spec: DatabaseServerSpec, signal: AbortSignal | undefined): Promise<string> {
    const { calls, owner } = this.options;
    const names = this.#names;
    await inspectImage(calls, spec.image, signal);
    const volume = { Name: names.volume, Driver: 'local', Labels: serverLabels(owner) };
    await calls.run({ op: 'createVolume', body: volume });
    await this.#createNetwork(spec, signal);
    const body = serverContainerBody(spec, names, owner);
    const create = { op: 'createContainer', name: names.container, body } as const;
    try {
      return (await calls.run(create, { timeoutMs: CREATE_TIMEOUT_MS })).id;
    } catch (error) {
      const present = isFailure(error, 'conflict') && (await this.#container(signal));
      if (present) return present.id;
      throw error;
    }
  }

  /** The network that it is in while no env uses it; one that is there stays. */
  async #createNetwork(spec: DatabaseServerSpec, signal: AbortSignal | undefined): Promise<void> {
    const { calls, owner } = this.options;
    const names = this.#names;
    const networks = await calls.run({ op: 'listNetworks', labels: this.#filter() }, { signal });
    if (networks.some(({ name }) => name === names.network)) return;
    const body = {
      Name: names.network,
      Driver: 'bridge',
      CheckDuplicate: true,
      // What is published has to be reached from the host.
      Internal: spec.publishPort === 0,
      IPAM: { Driver: 'default', Config: [{ Subnet: spec.subnet }] },
      Labels: serverLabels(owner),
    };
    await calls.run({ op: 'createNetwork', body }).catch(unlessThere);
  }

  /**
   * Docker starts no container that is in a network which is gone. A server that does not run comes to that whenever the
   * network between it and an env is removed, for Docker parts only what runs from a network; and its restart policy ends
   * there. While that is still at work it is left alone.
   */
  async #mendNetworks(
    spec: DatabaseServerSpec,
    { id: containerId, state, networkIds }: ContainerDetails,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (state === 'running' || state === 'restarting') return;
    const { calls } = this.options;
    const there = await calls.run({ op: 'listNetworks', labels: [] }, { signal });
    const isThere = (wanted: string, wantedId: string): boolean =>
      there.some(({ id, name }) => name === wanted && (wantedId === '' || wantedId === id));
    for (const [name, networkId] of Object.entries(networkIds)) {
      if (isThere(name, networkId)) continue;
      await calls.run({ op: 'disconnectNetwork', id: name, containerId });
      // The networks of envs are joined again by `rejoin`.
      if (name !== this.#names.network) continue;
      await this.#createNetwork(spec, signal);
      await calls.run({ op: 'connectNetwork', id: name, containerId, endpoint: { Aliases: [] } });
    }
  }

  /** The server keeps its name in every network; connecting twice is no error. */
  async #connect(network: string): Promise<void> {
    const { calls } = this.options;
    const container = this.#names.container;
    const { id: containerId } = await calls.run({ op: 'inspectContainer', id: container });
    const { containerIds } = await calls.run({ op: 'inspectNetwork', id: network });
    if (containerIds.includes(containerId)) return;
    const endpoint = { Aliases: [SERVER_HOST] };
    await calls.run({ op: 'connectNetwork', id: network, containerId, endpoint }).catch((error: unknown) => {
      if (!/already exists in network/.test(String(error))) throw error;
    });
  }

  async #container(signal: AbortSignal | undefined): Promise<ContainerDetails | undefined> {
    const { calls } = this.options;
    const [found] = await calls.run({ op: 'listContainers', labels: this.#filter() }, { signal });
    if (!found) return undefined;
    try {
      return await calls.run({ op: 'inspectContainer', id: found.id }, { signal });
    } catch (error) {
      if (isFailure(error, 'not_found')) return undefined;
      throw error;
    }
  }

  #envNetworks(signal: AbortSignal | undefined): Promise<NetworkDetails[]> {
    const labels = [`${OWNER_LABEL}=${this.options.owner}`, NETWORK_LABEL];
    return this.options.calls.run({ op: 'listNetworks', labels }, { signal });
  }

  #filter(): string[] {
    return [`${OWNER_LABEL}=${this.options.owner}`, `${KIND_LABEL}=${DATABASE_KIND}`];
  }

  #translated<T>(doing: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return translated({ doing, refused: 'DATABASE_UNAVAILABLE', signal }, work);
  }
}

function shape(container: ContainerDetails): DatabaseServer {
  return {
    containerId: container.id,
    containerName: container.name,
    image: container.image,
    running: container.state === 'running',
    unhealthy: container.state === 'running' && container.health === 'unhealthy',
    startedAt: container.startedAt,
    createdAt: container.createdAt,
  };
}

/** A container that is away, or stopped, or started anew at this moment. */
function unavailable(doing: string): FailureContext {
  return { doing, refused: 'DATABASE_UNAVAILABLE', missing: 'DATABASE_UNAVAILABLE' };
}

function unlessThere(error: unknown): void {
  if (!isFailure(error, 'conflict')) throw error;
}
