import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { ComposeProject, ComposeService } from '../../../src/domain/env/compose/model.js';
import type {
  ConnectionCount,
  ContainerUse,
  EnvEngine,
  LogChunk,
  OwnedThing,
  ProjectContainer,
  ProjectEvent,
} from '../../../src/domain/env/engine.js';
import type { UndoneThing } from '../../../src/domain/env/model.js';
import { BerthError } from '../../../src/domain/errors.js';

/** What an app does when it is started: its variable `FAKE`. */
type Behaviour = 'serve' | 'exit' | 'silent' | 'error500' | 'crash_later';

interface FakeContainer extends ProjectContainer {
  definition: ComposeService;
  server: Server | undefined;
}

interface FakeProject {
  networks: Set<string>;
  volumes: Set<string>;
  containers: Map<string, FakeContainer>;
}

/**
 * EnvEngine in memory. A started app is a real HTTP server on its published port, so that real probes find it.
 * `before` and `after` are called around every method that acts; what they throw is thrown to the caller.
 */
export class FakeEnvEngine implements EnvEngine {
  readonly images = new Set(['node:20-slim', 'python:3.11-slim']);
  readonly projects = new Map<string, FakeProject>();
  readonly calls: string[] = [];
  /** Ports that "Docker" finds taken though they can be bound. */
  readonly stolenPorts = new Set<number>();
  before: (method: string, project: string) => void | Promise<void> = () => {};
  after: (method: string, project: string) => void = () => {};
  #nextId = 1;
  readonly #allWatchers = new Set<(envId: string, event: ProjectEvent) => void>();
  readonly #watchers = new Set<{ project: string; onEvent: (event: ProjectEvent) => void }>();

  async requireImage(image: string): Promise<{ digest: string; exposedPorts: number[] }> {
    return await this.#act('requireImage', '', () => {
      if (this.images.has(image)) return { digest: `sha256:${'0'.repeat(64)}`, exposedPorts: [] };
      throw new BerthError('IMAGE_NOT_FOUND', `no image ${image}; prepare it first`);
    });
  }

  async createNetworksAndVolumes(project: ComposeProject): Promise<UndoneThing[]> {
    return await this.#act('createNetworksAndVolumes', project.name, () => {
      const made = this.#project(project.name);
      const things: UndoneThing[] = [];
      for (const { name } of project.networks) {
        if (!made.networks.has(name)) things.push({ kind: 'network', name });
        made.networks.add(name);
      }
      for (const { name } of project.volumes) {
        if (!made.volumes.has(name)) things.push({ kind: 'volume', name });
        made.volumes.add(name);
      }
      return things;
    });
  }

  async createContainers(project: ComposeProject): Promise<ProjectContainer[]> {
    return await this.#act('createContainers', project.name, () => {
      const made = this.#project(project.name);
      for (const definition of project.services) {
        if (made.containers.has(definition.name)) continue;
        made.containers.set(definition.name, {
          id: `c${this.#nextId++}`,
          name: definition.containerName,
          service: definition.name,
          state: 'created',
          health: 'none',
          exitCode: 0,
          oomKilled: false,
          error: '',
          image: definition.image,
          startedAt: 0,
          restartCount: 0,
          publishedPorts: definition.ports.map((port) => port.containerPort),
          memoryBytes: definition.memoryBytes ?? 0,
          cpus: definition.cpus ?? 0,
          addresses: {},
          definition,
          server: undefined,
        });
      }
      return [...made.containers.values()].map(shown);
    });
  }

  async startService(projectName: string, service: string): Promise<void> {
    await this.#act('startService', projectName, async () => {
      const container = this.projects.get(projectName)?.containers.get(service);
      if (!container) throw new BerthError('ENV_CONTAINER_MISSING', `no container of ${service}`);
      if (container.state !== 'running') await this.#startApp(projectName, container);
    });
  }

  async stop(projectName: string): Promise<void> {
    await this.#act('stop', projectName, () => this.#stop(projectName));
  }

  /** What `down` could not stop: why not. */
  readonly notStopped: string[] = [];

  async down(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
  ): Promise<{ removed: UndoneThing[]; notStopped: string[] }> {
    return await this.#act('down', projectName, async () => {
      await this.#stop(projectName);
      return { removed: await this.#remove(projectName, options), notStopped: this.notStopped };
    });
  }

  async remove(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
  ): Promise<UndoneThing[]> {
    return await this.#act('remove', projectName, () => this.#remove(projectName, options));
  }

  async inspect(projectName: string): Promise<ProjectContainer[]> {
    return await this.#act('inspect', projectName, () =>
      [...(this.projects.get(projectName)?.containers.values() ?? [])].map(shown),
    );
  }

  async checkHealth(projectName: string, service: string): Promise<{ healthy: boolean; output: string }> {
    return await this.#act('checkHealth', projectName, () => {
      const container = this.projects.get(projectName)?.containers.get(service);
      return { healthy: container?.state === 'running', output: '' };
    });
  }

  async listOwned(): Promise<OwnedThing[]> {
    return await this.#act('listOwned', '', () => this.owned());
  }

  async watch(projectName: string, onEvent: (event: ProjectEvent) => void): Promise<{ close(): void }> {
    return await this.#act('watch', projectName, () => {
      const watcher = { project: projectName, onEvent };
      this.#watchers.add(watcher);
      return { close: () => void this.#watchers.delete(watcher) };
    });
  }

  async watchAll(onEvent: (envId: string, event: ProjectEvent) => void): Promise<{ close(): void }> {
    await Promise.resolve();
    this.#allWatchers.add(onEvent);
    return { close: () => void this.#allWatchers.delete(onEvent) };
  }

  /** What `diskBytes` answers. */
  written = 0;

  async diskBytes(): Promise<number> {
    await Promise.resolve();
    return this.written;
  }

  async use(): Promise<ContainerUse> {
    await Promise.resolve();
    return { memoryBytes: 1_000, cpus: 0.1, cpuSeconds: 2 };
  }

  /** What `connections` answers, by container id. */
  readonly counts = new Map<string, ConnectionCount>();

  async connections(containerId: string): Promise<ConnectionCount | undefined> {
    await Promise.resolve();
    return this.counts.get(containerId);
  }

  async *logs(containerId: string): AsyncIterable<LogChunk> {
    await Promise.resolve();
    for (const line of ['hello from the app\n', `container ${containerId}\n`]) {
      yield { stream: 'stdout', timestamp: '', data: Buffer.from(line) };
    }
  }

  holdLog(): () => void {
    return () => {};
  }

  async available(): Promise<void> {}

  /** Everything there is, for assertions. */
  owned(): OwnedThing[] {
    return [...this.projects].flatMap(([envId, project]) => [
      ...[...project.containers.values()].map(({ name, id }) => ({
        kind: 'container' as const,
        name,
        id,
        envId,
      })),
      ...[...project.networks].map((name) => ({ kind: 'network' as const, name, id: name, envId })),
      ...[...project.volumes].map((name) => ({ kind: 'volume' as const, name, id: name, envId })),
    ]);
  }

  /** The daemon died: Docker closes its event streams. */
  disconnect(): void {
    this.#watchers.clear();
  }

  openWatches(): number {
    return this.#watchers.size;
  }

  container(envId: string): FakeContainer | undefined {
    return this.projects.get(envId)?.containers.get('app');
  }

  emit(project: string, event: Omit<ProjectEvent, 'containerId' | 'time'> & { time?: number }): void {
    const containerId = this.projects.get(project)?.containers.get(event.service)?.id ?? '';
    const whole = { containerId, time: Date.now(), ...event };
    for (const watcher of this.#watchers) if (watcher.project === project) watcher.onEvent(whole);
    for (const onEvent of this.#allWatchers) onEvent(project, whole);
  }

  async close(): Promise<void> {
    for (const project of this.projects.values()) {
      for (const container of project.containers.values()) await halt(container);
    }
  }

  async #act<T>(method: string, project: string, work: () => T | Promise<T>): Promise<T> {
    await Promise.resolve();
    this.calls.push(method);
    await this.before(method, project);
    const result = await work();
    this.after(method, project);
    return result;
  }

  async #stop(projectName: string): Promise<void> {
    for (const container of this.projects.get(projectName)?.containers.values() ?? []) {
      if (container.state !== 'running') continue;
      await halt(container);
      this.emit(projectName, { service: container.service, action: 'die', exitCode: 143 });
    }
  }

  async #remove(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
  ): Promise<UndoneThing[]> {
    const project = this.projects.get(projectName);
    if (!project) return [];
    const removed: UndoneThing[] = [];
    for (const container of project.containers.values()) {
      await halt(container);
      removed.push({ kind: 'container', name: container.name });
    }
    const networks = options.networks !== false;
    if (networks) for (const name of project.networks) removed.push({ kind: 'network', name });
    if (options.volumes) for (const name of project.volumes) removed.push({ kind: 'volume', name });
    project.containers.clear();
    if (networks) project.networks.clear();
    if (options.volumes) project.volumes.clear();
    if (project.volumes.size + project.networks.size === 0) this.projects.delete(projectName);
    return removed;
  }

  async #startApp(project: string, container: FakeContainer): Promise<void> {
    const { definition } = container;
    const behaviour = (definition.environment['FAKE'] ?? 'serve') as Behaviour;
    const port = definition.ports[0];
    if (port && this.stolenPorts.has(port.hostPort)) {
      throw new BerthError('PORT_TAKEN', `port ${port.hostPort} is taken`);
    }
    container.state = 'running';
    this.emit(project, { service: container.service, action: 'start' });
    if (behaviour === 'exit') {
      Object.assign(container, { state: 'exited', exitCode: 3 });
      this.emit(project, { service: container.service, action: 'die', exitCode: 3 });
      return;
    }
    if (!port || behaviour === 'silent') return;
    const server = createServer((_, response) => {
      response.statusCode = behaviour === 'error500' ? 500 : 200;
      response.end('hello');
      if (behaviour === 'crash_later') Object.assign(container, { state: 'exited', exitCode: 9 });
    });
    server.listen(port.hostPort, port.hostIp);
    await once(server, 'listening');
    container.server = server;
  }

  #project(name: string): FakeProject {
    const project = this.projects.get(name) ?? {
      networks: new Set(),
      volumes: new Set(),
      containers: new Map(),
    };
    this.projects.set(name, project);
    return project;
  }
}

function shown({ definition: _, server: __, ...container }: FakeContainer): ProjectContainer {
  return structuredClone(container);
}

async function halt(container: FakeContainer): Promise<void> {
  const { server } = container;
  container.server = undefined;
  if (container.state === 'running') Object.assign(container, { state: 'exited', exitCode: 143 });
  if (!server) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
