import { randomInt } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import type { EnvConfig } from '../../../src/domain/env/config.js';
import type { OperationHandle } from '../../../src/domain/env/event-log.js';
import { ENDED_STATES, isTerminal, type EnvEvent, type EnvEventBody } from '../../../src/domain/env/model.js';
import type { HostResources } from '../../../src/domain/env/host-resources.js';
import { EnvOperations } from '../../../src/domain/env/operations.js';
import type { DeployRequest } from '../../../src/domain/env/requests.js';
import { listEnvDirectories } from '../../../src/domain/env/steps/directory.js';
import type { EnvStore } from '../../../src/domain/env/store.js';
import { MustacheTemplates } from '../../../src/templates/mustache-templates.js';
import { SilentLogger } from '../silent-logger.js';
import { FakeEnvEngine } from './fake-env-engine.js';
import { FakeEnvStore, FakeLeaseStore, FakePortStore } from './fake-env-store.js';

export const NODE_FILES = [
  { path: 'metadata.json', content: Buffer.from('{"runtimeType":"node"}'), mode: 0 },
  { path: 'server.js', content: Buffer.from('// a web app'), mode: 0 },
];

/** The env domain over strict fakes and a real directory; `restart` is a new daemon over the same world. */
export class EnvHarness {
  readonly store = new FakeEnvStore();
  readonly ports = new FakePortStore();
  readonly engine = new FakeEnvEngine();
  readonly logger = new SilentLogger();
  databases = new DatabaseProviderRegistry();
  readonly leases = new FakeLeaseStore();
  /** What the host has free, in bytes. */
  readonly free = { memory: 2 ** 40, disk: 2 ** 40 };
  readonly resources: HostResources = {
    freeMemoryBytes: () => this.free.memory,
    freeDiskBytes: () => Promise.resolve(this.free.disk),
  };
  /** Goes with the real one until a test sets it. */
  readonly clock = { offsetMs: 0, now: () => Date.now() + this.clock.offsetMs };
  operations!: EnvOperations;
  config!: EnvConfig;

  static async open(settings: Partial<EnvConfig> = {}): Promise<EnvHarness> {
    const harness = new EnvHarness();
    const base = await mkdtemp(join(tmpdir(), 'berth-env-test-'));
    // Test processes that run side by side get ranges of their own, below the ports that the kernel gives out.
    const portFirst = 20_000 + randomInt(120) * 100;
    harness.config = {
      owner: 'test',
      host: 'here',
      otherHosts: true,
      appsPath: join(base, 'apps'),
      basePath: join(base, 'envs'),
      serverHost: 'localhost',
      bindHost: '127.0.0.1',
      portFirst,
      portLast: portFirst + 99,
      subnets: '10.213.0.0/17',
      memoryBytes: 512 * 1024 * 1024,
      cpuMillis: 500,
      processes: 512,
      readyTimeoutMs: 5_000,
      databaseReadyTimeoutMs: 90_000,
      stopGraceMs: 1_000,
      maxAppBytes: 1024 * 1024,
      maxAppFiles: 100,
      maxTenantApps: 20,
      maxTenantAppBytes: 64 * 1024 * 1024,
      maxConcurrentOperations: 10,
      maxQueuedOperations: 100,
      queueTimeoutMs: 60_000,
      ttlMs: 3_600_000,
      idleTimeoutMs: 7_200_000,
      warnBeforeMs: 300_000,
      sweepIntervalMs: 10_000,
      maxDiskBytes: 1024 * 1024 * 1024,
      minFreeDiskBytes: 0,
      reconcileIntervalMs: 60_000,
      portAttempts: 3,
      undoTimeoutMs: 2_000,
      ...settings,
    };
    harness.restart();
    return harness;
  }

  /** A daemon over the same world; with another store in front of it, one that can die. */
  restart(store: EnvStore = this.store): EnvOperations {
    const templates = new MustacheTemplates(join(import.meta.dirname, '../../../templates'));
    const { ports, engine, config } = this;
    const { logger, databases, clock } = this;
    this.operations = new EnvOperations({
      store,
      ports,
      engine,
      templates,
      config,
      logger,
      databases,
      clock,
      leases: this.leases,
      resources: this.resources,
    });
    return this.operations;
  }

  request(overrides: Partial<DeployRequest> = {}): DeployRequest {
    return {
      tenant: 'default',
      userId: 'alice',
      systemId: '',
      appId: 'hello',
      requestId: '',
      files: NODE_FILES,
      ...overrides,
    };
  }

  /** Deploys, follows to the end, and answers the events and the env. */
  async deploy(overrides: Partial<DeployRequest> = {}) {
    return await this.finish(await this.operations.deploy(this.request(overrides)));
  }

  async finish(handle: OperationHandle) {
    const events: EnvEvent[] = [];
    for await (const event of this.operations.follow(handle, AbortSignal.timeout(50_000))) events.push(event);
    const last = events.at(-1)?.body;
    if (!last || !isTerminal(last)) throw new Error(`no terminal event: ${JSON.stringify(last)}`);
    return { events, last, env: await this.operations.get(handle.env.tenant, handle.env.id), handle };
  }

  stop(envId: string) {
    return this.#run('stop', envId);
  }
  start(envId: string) {
    return this.#run('start', envId);
  }
  reset(envId: string) {
    return this.#run('reset', envId);
  }
  destroy(envId: string) {
    return this.#run('destroy', envId);
  }

  async #run(kind: 'stop' | 'start' | 'reset' | 'destroy', envId: string) {
    return await this.finish(await this.operations[kind]({ tenant: 'default', envId, requestId: '' }));
  }

  bodies(envId: string): EnvEventBody[] {
    return (this.store.log.get(envId) ?? []).map((event) => event.body);
  }

  /** Invariants 2 and 6 of the design, and the rules of the event log. */
  async expectConsistent(): Promise<void> {
    const live = new Map((await this.store.listLive()).map((env) => [env.id, env]));
    expect(await this.store.listUnfinished(), 'unfinished operations').toEqual([]);
    for (const thing of this.engine.owned())
      expect([...live.keys()], `${thing.kind} ${thing.name}`).toContain(thing.envId);
    for (const { port, envId } of this.ports.rows.values())
      expect(live.get(envId)?.port, `port of ${envId}`).toBe(port);
    for (const { envId } of await listEnvDirectories(this.config.basePath, 'test')) {
      expect([...live.keys()], 'directories').toContain(envId);
    }
    for (const env of live.values()) {
      expect(['running', 'stopped', 'broken']).toContain(env.state);
      if (env.state === 'broken') continue;
      expect(this.ports.rows.get(env.port ?? 0)?.envId).toBe(env.id);
      expect(this.engine.container(env.id)?.state).toBe(env.state === 'running' ? 'running' : 'exited');
      expect(env.containerIds).toEqual([this.engine.container(env.id)?.id]);
    }
    this.expectGoodLogs();
    expect(this.engine.openWatches(), 'open watches').toBe(0);
  }

  /** Each operation has exactly one terminal event, its last; `seq` has no gaps. */
  expectGoodLogs(): void {
    for (const log of this.store.log.values()) {
      expect(log.map((event) => event.seq)).toEqual(log.map((_, index) => index + 1));
      for (const id of new Set(log.map((event) => event.operationId))) {
        if (id === '') continue;
        const own = log.filter((event) => event.operationId === id).map((event) => event.body);
        expect(own.filter(isTerminal).length, `terminal events of ${id}`).toBe(1);
      }
    }
  }

  /** Nothing is left on the host at all. */
  async expectNothingLeft(): Promise<void> {
    expect(this.engine.owned()).toEqual([]);
    expect([...this.ports.rows.values()]).toEqual([]);
    expect(await readdir(this.config.basePath).catch(() => [])).toEqual([]);
    expect([...this.store.envs.values()].filter((env) => !ENDED_STATES.includes(env.state))).toEqual([]);
  }

  async close(): Promise<void> {
    await this.operations.close(5_000);
    await this.engine.close();
    await rm(join(this.config.basePath, '..'), { recursive: true, force: true });
  }
}

export function named(events: EnvEvent[], type: EnvEventBody['type']): string[] {
  return events.flatMap(({ body }) => (body.type === type && 'step' in body ? [body.step] : []));
}
