import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { DatabasePasswords } from '#dist/src/domain/database/passwords.js';
import { DatabaseProviderRegistry } from '#dist/src/domain/database/provider.js';
import { SharedDatabaseProvider } from '#dist/src/domain/database/shared.js';
import { SharedServer } from '#dist/src/domain/database/shared-server.js';
import { StandaloneDatabaseProvider } from '#dist/src/domain/database/standalone.js';
import { EnvOperations } from '#dist/src/domain/env/operations.js';
import { DATABASE_PREFIX, SubnetPlan } from '#dist/src/domain/ports/subnets.js';
import { RuntimeRegistry } from '#dist/src/domain/runtime/registry.js';
import { createDockerEngine, type DockerEngine } from '#dist/src/engine/docker/create-docker-engine.js';
import { openStore, type Store } from '#dist/src/store/open-store.js';
import { MustacheTemplates } from '#dist/src/templates/mustache-templates.js';
import type { AppFile } from '../../../src/domain/env/app/files.js';
import type { EnvConfig } from '../../../src/domain/env/config.js';
import type { OperationHandle } from '../../../src/domain/env/event-log.js';
import { isTerminal, type EnvEvent } from '../../../src/domain/env/model.js';
import type { LogRequest } from '../../../src/domain/env/logs/request.js';
import type { DeployRequest } from '../../../src/domain/env/requests.js';
import type { EnvStore } from '../../../src/domain/env/store.js';
import { docker } from '../../support/docker-cli.js';
import { SilentLogger } from '../../support/silent-logger.js';

const TEMPLATES = join(import.meta.dirname, '../../../templates');
const MIB = 1024 * 1024;
/** What `npm test` found or built. */
export const MYSQL_IMAGE = process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9';

/** The env domain over real Docker and SQLite, with an owner, ports and subnets of its own. */
export class EnvWorld {
  readonly owner = `env-test-${randomBytes(4).toString('hex')}`;
  readonly logger = new SilentLogger();
  #passwords!: DatabasePasswords;
  /** Set it before `restart` for others than the built-in ones. */
  runtimes = new RuntimeRegistry();
  directory!: string;
  store!: Store;
  engine!: DockerEngine;
  operations!: EnvOperations;
  databases!: DatabaseProviderRegistry;
  /** Of a daemon's life: made anew by `restart`. */
  sharedServer!: SharedServer;
  config!: EnvConfig;

  static async open(
    settings: Partial<EnvConfig> = {},
    dockerHost = 'unix:///var/run/docker.sock',
  ): Promise<EnvWorld> {
    const world = new EnvWorld();
    world.directory = await mkdtemp(join(tmpdir(), 'berth-env-world-'));
    world.config = {
      owner: world.owner,
      host: hostname(),
      otherHosts: false,
      appsPath: join(world.directory, 'apps'),
      basePath: join(world.directory, 'envs'),
      serverHost: '127.0.0.1',
      bindHost: '127.0.0.1',
      portFirst: 24_000,
      portLast: 24_099,
      subnets: '10.214.128.0/20',
      memoryBytes: 128 * MIB,
      cpuMillis: 500,
      processes: 64,
      readyTimeoutMs: 20_000,
      databaseReadyTimeoutMs: 90_000,
      stopGraceMs: 5_000,
      maxAppBytes: MIB,
      maxAppFiles: 100,
      maxTenantApps: 20,
      maxTenantAppBytes: 64 * 1024 * 1024,
      maxConcurrentOperations: 4,
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
      undoTimeoutMs: 30_000,
      ...settings,
    };
    const { logger, owner } = world;
    world.store = await openStore({ sqlitePath: join(world.directory, 'berth.db'), logger });
    world.engine = await createDockerEngine({
      dockerHost,
      owner,
      seccompProfilePath: join(TEMPLATES, 'seccomp/sandbox.json'),
      hostsFile: join(TEMPLATES, 'sandbox/hosts'),
      callThreads: 1,
      streamThreads: 1,
      maxStreams: 32,
      logger,
    });
    world.#passwords = await DatabasePasswords.fromFile(join(world.directory, 'database-key'));
    world.restart();
    return world;
  }

  /** A daemon's env domain anew over the same store and Docker. */
  restart(store: EnvStore = this.store.envs): EnvOperations {
    const { config, logger } = this;
    const templates = new MustacheTemplates(TEMPLATES);
    this.#openDatabases();
    this.operations = new EnvOperations({
      store,
      ports: this.store.ports,
      leases: this.store.leases,
      engine: this.engine.envs,
      templates,
      databases: this.databases,
      runtimes: this.runtimes,
      config,
      logger,
    });
    return this.operations;
  }

  #openDatabases(): void {
    const { logger } = this;
    const passwords = this.#passwords;
    const engine = this.engine.databases;
    const image = async () => MYSQL_IMAGE;
    const subnets = new SubnetPlan('10.214.144.0/20', this.config.portFirst, DATABASE_PREFIX);
    const settings = {
      create: true,
      memoryBytes: 1024 * MIB,
      cpuMillis: 2_000,
      maxConnections: 100,
      publishPort: 0,
      subnet: subnets.last,
      startTimeoutMs: 90_000,
    };
    this.sharedServer = new SharedServer({ engine, passwords, settings, image, logger });
    this.databases = new DatabaseProviderRegistry([
      new SharedDatabaseProvider({ server: this.sharedServer, engine, passwords, subnets }),
      new StandaloneDatabaseProvider({ passwords, settings, image }),
    ]);
  }

  request(appId: string, files: AppFile[], more: Partial<DeployRequest> = {}): DeployRequest {
    return { tenant: 'default', userId: 'alice', systemId: 'school', appId, requestId: '', files, ...more };
  }

  async deploy(appId: string, files: AppFile[], more: Partial<DeployRequest> = {}) {
    return await this.finish(await this.operations.deploy(this.request(appId, files, more)));
  }

  async run(kind: 'stop' | 'start' | 'reset' | 'destroy', envId: string) {
    return await this.finish(await this.operations[kind]({ tenant: 'default', envId, requestId: '' }));
  }

  async finish(handle: OperationHandle) {
    const events: EnvEvent[] = [];
    for await (const event of this.operations.follow(handle, AbortSignal.timeout(240_000)))
      events.push(event);
    const last = events.at(-1)?.body;
    if (!last || !isTerminal(last)) throw new Error(`no terminal event: ${JSON.stringify(events.at(-1))}`);
    return { events, last, env: await this.operations.get('default', handle.env.id) };
  }

  /** Nothing of this owner is in Docker, in the port table or in the base directory. */
  async expectNothingLeft(): Promise<void> {
    expect(await this.engine.envs.listOwned()).toEqual([]);
    const filter = ['--filter', `label=dev.berth.owner=${this.owner}`, '-q'];
    for (const listing of [
      ['ps', '-a'],
      ['network', 'ls'],
      ['volume', 'ls'],
    ]) {
      expect(await docker(...listing, ...filter)).toBe('');
    }
    expect(await this.store.ports.list()).toEqual([]);
    expect(await readdir(this.config.basePath).catch(() => [])).toEqual([]);
  }

  async destroyAll(): Promise<void> {
    await this.operations.recover();
    for (const env of await this.store.envs.listLive()) await this.run('destroy', env.id);
  }

  async close(): Promise<void> {
    await this.operations.close(10_000);
    await this.engine.close();
    await this.store.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export function appFiles(metadata: object, files: Record<string, string>): AppFile[] {
  return Object.entries({ 'metadata.json': JSON.stringify(metadata), ...files }).map(([path, text]) => ({
    path,
    content: Buffer.from(text),
    mode: 0,
  }));
}

export function logRequest(envId: string, more: Partial<LogRequest> = {}): LogRequest {
  return {
    tenant: 'default',
    envId,
    follow: false,
    services: [],
    tail: undefined,
    after: '',
    since: undefined,
    until: undefined,
    contains: '',
    stream: undefined,
    ...more,
  };
}

/** A world for the tests of a file or suite, each of which leaves nothing in it. `take` is given it before the first. */
export function inEnvWorld(take: (world: EnvWorld) => void): void {
  let world: EnvWorld;
  beforeAll(async () => take((world = await EnvWorld.open())));
  afterEach(async () => {
    await world.destroyAll();
    await world.expectNothingLeft();
  });
  afterAll(() => world.close());
}
