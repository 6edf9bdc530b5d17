import { hostname, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { envService } from './api/env-service.js';
import { poolService } from './api/pool-service.js';
import { sandboxService } from './api/sandbox-service.js';
import { ReaderLimit } from './api/reader-limit.js';
import { GrpcServer, splitAddress } from './api/server.js';
import { hostBudget } from './config/host-budget.js';
import { poolSettings } from './config/pool-settings.js';
import type { Config } from './config/schema.js';
import { databaseImage } from './domain/database/images.js';
import { DatabasePasswords } from './domain/database/passwords.js';
import { DatabaseProviderRegistry } from './domain/database/provider.js';
import type { DatabaseServerEngine } from './domain/database/server-engine.js';
import { SharedDatabaseProvider } from './domain/database/shared.js';
import { SharedServer } from './domain/database/shared-server.js';
import { StandaloneDatabaseProvider } from './domain/database/standalone.js';
import { FIXED_ENV_SETTINGS } from './domain/env/config.js';
import { hostResources } from './domain/env/host-resources.js';
import { EnvSessions } from './domain/env/exec/env-sessions.js';
import { EnvOperations } from './domain/env/operations.js';
import { RecoveryLoop } from './domain/env/recovery-loop.js';
import { DATABASE_PREFIX, SubnetPlan } from './domain/ports/subnets.js';
import { PoolManager } from './domain/pool/pool-manager.js';
import { UidAllocator } from './domain/pool/uid-allocator.js';
import { newId } from './domain/ids.js';
import { ExecutionDirectory } from './domain/sandbox/execution-directory.js';
import { ExecutionRecorder } from './domain/sandbox/execution-recorder.js';
import { ExecutionRegistry } from './domain/sandbox/execution-registry.js';
import { Executor } from './domain/sandbox/executor.js';
import { SpillSpace } from './domain/sandbox/history-spill.js';
import { Languages } from './domain/sandbox/languages.js';
import { sandboxFactory } from './domain/sandbox/sandbox.js';
import { createDockerEngine, type DockerEngine } from './engine/docker/create-docker-engine.js';
import { createLocalEngine, type LocalEngine } from './engine/local/create-local-engine.js';
import { watchSandboxDeaths } from './engine/docker/sandbox/deaths.js';
import type { Failpoints } from './failpoints/failpoints.js';
import { failingDocker, failingSql, failingStores } from './failpoints/seams.js';
import { createHttpServer, type ComponentHealth, type HealthReport } from './http/server.js';
import { shipped } from './lib/package-root.js';
import { RefusedNetworks } from './lib/refused-networks.js';
import { openStore, type Store } from './store/open-store.js';
import { MustacheTemplates } from './templates/mustache-templates.js';
import type { Logger } from './telemetry/logger.js';

const VERSION = '0.1.0';
/** 2 GB, less what the kernel and the firmware of such a machine keep for themselves. Bytes. */
const LEAST_MEMORY_BYTES = 1.75 * 1024 ** 3;
/** Time that open streams get after everything they could tell of has ended. */
const STREAM_GRACE_MS = 1_000;

/** Time that records of executions get to be written when berthd stops and the database does not answer. */
const RECORDS_GRACE_MS = 10_000;

/** Full names of the services, as health checks ask for them. */
const ENV_SERVICE = 'berth.v1.EnvService';
const SANDBOX_SERVICE = 'berth.v1.SandboxService';
const POOL_SERVICE = 'berth.v1.PoolService';

/**
 * The composition root: the only place that knows concrete classes. `start` opens what berthd stands on, in order; `stop`
 * closes it in reverse after what runs has ended. Docker and MySQL may be away at any time: what needs them says so.
 */
export class Daemon {
  readonly #startedAt = Date.now();
  #stopping: Promise<void> | undefined;
  readonly #recovery: RecoveryLoop;

  private constructor(
    private readonly config: Config,
    private readonly logger: Logger,
    private readonly store: Store,
    private readonly docker: DockerEngine,
    private readonly local: LocalEngine,
    private readonly pools: PoolManager,
    private readonly executions: Executions,
    private readonly envs: EnvOperations,
    private readonly grpc: GrpcServer,
    private http: FastifyInstance | undefined,
  ) {
    this.#recovery = new RecoveryLoop({
      intervalMs: config.env.reconcileIntervalMs,
      round: () => this.#recoverEnvs(),
      logger,
    });
  }

  /** Resolves when berthd answers on both addresses. @throws what makes that impossible; nothing is left open then */
  static async start(config: Config, logger: Logger, failpoints?: Failpoints): Promise<Daemon> {
    const opened: { close(): Promise<unknown> }[] = [];
    try {
      const store = await openStore({
        databaseUrl: config.database.url,
        sqlitePath: join(config.state.dir, 'berth.db'),
        logger: logger.child({ component: 'store' }),
      });
      opened.push(store);
      const docker = await createDockerEngine({
        dockerHost: config.docker.host,
        owner: config.owner,
        seccompProfilePath: shipped('templates', 'seccomp', 'sandbox.json'),
        hostsFile: shipped('templates', 'sandbox', 'hosts'),
        ociRuntime: config.sandbox.ociRuntime,
        gvisor: {
          runtime: config.sandbox.gvisorRuntime,
          unenforcedLimits: config.sandbox.gvisorUnenforcedLimits,
        },
        callThreads: config.docker.callThreads,
        streamThreads: config.docker.streamThreads,
        maxStreams: config.docker.maxStreams,
        logger: logger.child({ component: 'docker' }),
        between: failpoints && failingDocker(failpoints),
      });
      opened.push(docker);
      const local = await createLocalEngine({
        owner: config.owner,
        root: shipped(),
        cacheDir: config.cache.dir,
        seccompProfilePath: shipped('templates', 'seccomp', 'sandbox.json'),
        images: [config.sandbox.pythonImage],
        executionUids: { first: config.sandbox.uidFirst, count: config.sandbox.uidCount },
        config: config.local,
        logger: logger.child({ component: 'local' }),
      });
      opened.push(local);

      const languages = new Languages([
        { name: 'python', version: '3.11', image: config.sandbox.pythonImage, entry: 'main.py' },
      ]);
      const pools = createPools(config, docker, local, languages, logger);
      const executions = createExecutions(config, store, pools, logger);
      await executions.spill.clear();
      const defaults = { ...config.sandbox, languages };
      const passwords = await DatabasePasswords.fromFile(resolve(config.state.dir, 'database-key'));
      const servers = failpoints ? failingSql(failpoints, docker.databases) : docker.databases;
      const { providers, sharedServer } = createDatabases(config, docker.envs, servers, passwords, logger);
      const stores = failpoints ? failingStores(failpoints, store) : store;
      const envs = createEnvs(config, stores, docker, providers, logger);
      await envs.apps.clear();
      const grpcOptions = {
        ...config.grpc,
        refused: networksOfEnvs(config),
        logger: logger.child({ component: 'grpc' }),
      };
      const grpc = new GrpcServer(grpcOptions, [
        sandboxService(executions.executor, executions.directory, defaults, logger),
        envService({
          envs,
          sharedServer,
          sessions: createSessions(config, envs, docker, logger),
          readers: new ReaderLimit(config.grpc.maxReadersPerTenant),
          logger,
        }),
        poolService(pools, { defaults, host: hostname() }, logger),
      ]);
      opened.push(pools);
      opened.push({ close: () => grpc.close(0) });
      const daemon = new Daemon(
        config,
        logger,
        store,
        docker,
        local,
        pools,
        executions,
        envs,
        grpc,
        undefined,
      );
      opened.push({ close: () => daemon.#closeHttp() });
      await daemon.#listen();
      return daemon;
    } catch (error) {
      for (const part of opened.reverse()) await part.close().catch(() => undefined);
      throw error;
    }
  }

  /** What `/healthz` answers. */
  health(): HealthReport {
    const { problem, warning } = this.pools;
    const components = {
      docker: this.#dockerHealth(),
      store: this.store.health(),
      // What is only a warning is said here too, and does not make it unhealthy.
      sandboxes: { ok: problem === '', reason: problem === '' ? warning : problem },
      records: { ok: this.executions.recorder.problem === '', reason: this.executions.recorder.problem },
      daemon: this.#ownHealth(),
    };
    return {
      ok: Object.values(components).every((component) => component.ok),
      version: VERSION,
      uptimeSeconds: Math.round((Date.now() - this.#startedAt) / 1_000),
      components,
    };
  }

  /** Takes no new work, lets what runs finish within the limit, removes the pool; envs keep running. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #listen(): Promise<void> {
    const { docker, store, config } = this;
    docker.availability.onChange(() => this.#dockerChanged());
    watchSandboxDeaths(docker.availability, (id, loss) => this.pools.containerDied(id, loss));
    this.pools.onProblemChange = () => this.#announceHealth();
    store.onHealthChange(() => this.#storeChanged());
    this.envs.onCutOff(() => this.#recovery.soon());
    this.executions.recorder.start();
    await this.envs.live();
    this.#reportHost();
    const port = await this.grpc.listen();
    this.http = createHttpServer(() => this.health(), networksOfEnvs(config));
    const { host, port: httpPort } = splitAddress(config.http.address);
    const http = await this.http.listen({ host, port: httpPort });
    this.#dockerChanged();
    this.logger.info(
      {
        event: 'berthd_ready',
        grpc: `${splitAddress(config.grpc.address).host}:${port}`,
        http,
        version: VERSION,
      },
      'berthd is ready',
    );
  }

  /** What this host may promise; too little of it is said at once and not at the first failure. */
  #reportHost(): void {
    const { memoryBytes, cpuMillis } = this.pools.budget.limit;
    this.logger.info(
      { event: 'host_budget', memory_bytes: memoryBytes, cpu_millis: cpuMillis },
      'what may be promised to sandboxes',
    );
    if (totalmem() < LEAST_MEMORY_BYTES)
      this.logger.warn(
        { event: 'host_too_small', memory_bytes: totalmem() },
        'this host has less than the 2 GB of memory that Berth needs; see `berth doctor`',
      );
  }

  #dockerChanged(): void {
    this.#announceHealth();
    if (this.docker.availability.state.state === 'up' && this.#stopping === undefined) {
      this.#recovery.wake();
      this.#settleWithDocker().catch((error: unknown) =>
        this.logger.error({ err: error }, 'could not settle with Docker'),
      );
    }
  }

  #storeChanged(): void {
    this.#announceHealth();
    this.#recovery.wake();
  }

  /** What a crash, or a store or Docker that went away, cut off is finished or undone as soon as both are there. */
  async #recoverEnvs(): Promise<void> {
    if (!this.store.health().ok || !this.#dockerHealth().ok || this.#stopping !== undefined) return;
    const { ended, incomplete } = await this.envs.recover();
    this.#report(
      ended.length + incomplete.length,
      { event: 'envs_recovered', ended, incomplete },
      'operations that were cut off are settled',
    );
    await this.envs.settle();
    const report = await this.envs.reconcile({ dryRun: false });
    const found = Object.values(report).reduce((sum, list) => sum + list.length, 0);
    this.#report(found, { event: 'envs_reconciled', ...report }, 'what exists is what the rows say');
    await this.envs.apps.sweep();
  }

  /** Said aloud only when there was something to do. */
  #report(found: number, fields: object, message: string): void {
    if (found > 0) this.logger.info(fields, message);
    else this.logger.debug(fields, message);
  }

  /** Docker is (again) there: remove sandboxes of an earlier life, then keep the standing pools warm. */
  async #settleWithDocker(): Promise<void> {
    const removed = await this.docker.sandboxes.removeStrays((id) => this.pools.knows(id));
    if (removed.length > 0)
      this.logger.info(
        { event: 'stray_sandboxes_removed', sandboxes: removed },
        'removed sandboxes of an earlier life',
      );
    await this.pools.start();
  }

  #announceHealth(): void {
    const running = this.#stopping === undefined;
    const docker = this.#dockerHealth().ok && running;
    const store = this.store.health().ok;
    const sandboxes = (docker || (running && this.pools.hasLocal)) && this.pools.problem === '';
    this.grpc.setHealth(SANDBOX_SERVICE, sandboxes ? 'SERVING' : 'NOT_SERVING');
    this.grpc.setHealth(ENV_SERVICE, docker && store ? 'SERVING' : 'NOT_SERVING');
    this.grpc.setHealth(POOL_SERVICE, sandboxes ? 'SERVING' : 'NOT_SERVING');
    this.grpc.setHealth('', docker && sandboxes && store ? 'SERVING' : 'NOT_SERVING');
  }

  #dockerHealth(): ComponentHealth {
    const { state } = this.docker.availability;
    return state.state === 'up' ? { ok: true, reason: '' } : { ok: false, reason: state.reason };
  }

  #ownHealth(): ComponentHealth {
    return this.#stopping === undefined
      ? { ok: true, reason: '' }
      : { ok: false, reason: 'berthd is stopping' };
  }

  async #closeHttp(): Promise<void> {
    this.#recovery.close();
    await this.http?.close();
  }

  async #stop(): Promise<void> {
    const { graceMs } = this.config.shutdown;
    this.logger.info(
      { event: 'berthd_stopping', running: this.executions.executor.running },
      'berthd is stopping',
    );
    queueMicrotask(() => this.#announceHealth());
    await Promise.all([this.executions.executor.close(graceMs), this.envs.close(graceMs)]);
    await this.grpc.close(STREAM_GRACE_MS);
    await this.envs.apps.settled();
    await this.pools.close();
    await this.#closeHttp();
    await this.local.close();
    await this.docker.close();
    await this.executions.recorder.close(RECORDS_GRACE_MS);
    this.executions.registry.close();
    await this.executions.spill.clear();
    await this.store.close();
    this.logger.info({ event: 'berthd_stopped' }, 'berthd stopped');
  }
}

function createPools(
  config: Config,
  docker: DockerEngine,
  local: LocalEngine,
  languages: Languages,
  logger: Logger,
): PoolManager {
  const { sandbox, pool } = config;
  const uids = new UidAllocator(sandbox.uidFirst, sandbox.uidCount);
  return new PoolManager({
    engine: docker.sandboxes,
    factory: sandboxFactory(docker.sandboxes, uids),
    local: {
      engine: local.sandboxes,
      factory: sandboxFactory(local.sandboxes, uids),
      problem: () => local.problem,
    },
    languages,
    logger: logger.child({ component: 'pool' }),
    limits: {
      memoryBytes: sandbox.memoryBytes,
      cpuMillis: sandbox.cpuMillis,
      processes: sandbox.processes,
      tmpfsBytes: sandbox.tmpfsBytes,
      tmpfsInodes: sandbox.tmpfsInodes,
      shmBytes: sandbox.shmBytes,
    },
    settings: poolSettings(pool),
    budget: hostBudget(config.budget),
    pooling: pool.pooling === 'on',
    acquireTimeoutMs: pool.acquireTimeoutMs,
    createTimeoutMs: pool.createTimeoutMs,
    parallelCreates: pool.parallelCreates,
  });
}

/** What executions are made of. */
interface Executions {
  executor: Executor;
  directory: ExecutionDirectory;
  recorder: ExecutionRecorder;
  registry: ExecutionRegistry;
  spill: SpillSpace;
}

function createExecutions(config: Config, store: Store, pools: PoolManager, logger: Logger): Executions {
  const { execution, sandbox, owner, state } = config;
  const of = { owner, life: newId('life') };
  const log = logger.child({ component: 'executions' });
  const recorder = new ExecutionRecorder({
    store: store.executions,
    of,
    logger: log,
    maxPending: execution.maxPendingRecords,
    keepMs: execution.keepRecordsMs,
    keepCount: execution.keepRecords,
  });
  const registry = new ExecutionRegistry({
    retainMs: sandbox.retainMs,
    retainTotalBytes: execution.retainTotalBytes,
  });
  const directory = new ExecutionDirectory(registry, recorder, store.executions);
  const spill = new SpillSpace({
    // Of this daemon alone: it is emptied at each start.
    directory: join(resolve(state.dir), 'executions', encodeURIComponent(owner)),
    bytesEach: execution.spillBytes,
    bytesTotal: execution.spillTotalBytes,
    logger: log,
  });
  const executor = new Executor({
    pools,
    registry,
    recorder,
    directory,
    store: store.executions,
    of,
    logger,
    retainBytes: sandbox.retainBytes,
    spill,
    maxWaitingBytes: execution.maxWaitingBytes,
    maxRequestIds: execution.maxRequestIds,
  });
  return { executor, directory, recorder, registry, spill };
}

/** The database providers that envs may ask for. A new one is its file and a line here. */
function createDatabases(
  config: Config,
  images: Pick<DockerEngine['envs'], 'requireImage'>,
  engine: DatabaseServerEngine,
  passwords: DatabasePasswords,
  logger: Logger,
): { providers: DatabaseProviderRegistry; sharedServer: SharedServer } {
  const { sharedDatabase, standaloneDatabase, portFirst } = config.env;
  const image = (wanted: string | undefined, signal: AbortSignal): Promise<string> =>
    databaseImage(wanted, (name) => images.requireImage(name, signal));
  const subnets = new SubnetPlan(sharedDatabase.subnets, portFirst, DATABASE_PREFIX);
  const sharedServer = new SharedServer({
    engine,
    passwords,
    settings: { ...sharedDatabase, create: sharedDatabase.create === 'on', subnet: subnets.last },
    image: (signal) => image(sharedDatabase.image, signal),
    logger: logger.child({ component: 'database' }),
  });
  const providers = new DatabaseProviderRegistry([
    new SharedDatabaseProvider({ server: sharedServer, engine, passwords, subnets }),
    new StandaloneDatabaseProvider({
      passwords,
      settings: standaloneDatabase,
      image: (wanted, signal) => image(wanted ?? standaloneDatabase.image, signal),
    }),
  ]);
  return { providers, sharedServer };
}

/** What runs in envs is nobody who may ask berthd. */
function networksOfEnvs({ env }: Config): RefusedNetworks {
  return new RefusedNetworks([env.subnets, env.sharedDatabase.subnets]);
}

function createEnvs(
  config: Config,
  store: Pick<Store, 'envs' | 'ports' | 'leases'>,
  docker: DockerEngine,
  databases: DatabaseProviderRegistry,
  logger: Logger,
): EnvOperations {
  const { env, owner, state } = config;
  return new EnvOperations({
    store: store.envs,
    ports: store.ports,
    leases: store.leases,
    resources: hostResources(new URL(config.docker.host).protocol === 'unix:'),
    engine: docker.envs,
    templates: new MustacheTemplates(shipped('templates')),
    databases,
    config: {
      ...env,
      databaseReadyTimeoutMs: env.standaloneDatabase.readyTimeoutMs,
      ...FIXED_ENV_SETTINGS,
      owner,
      host: hostname(),
      otherHosts: config.database.url !== '',
      appsPath: resolve(env.appsPath === '' ? join(state.dir, 'apps') : env.appsPath),
      basePath: resolve(env.basePath === '' ? join(state.dir, 'envs') : env.basePath),
    },
    logger: logger.child({ component: 'env' }),
  });
}

function createSessions(
  { env }: Config,
  envs: EnvOperations,
  docker: DockerEngine,
  logger: Logger,
): EnvSessions {
  return new EnvSessions({
    engine: docker.execs,
    containers: docker.envs,
    getEnv: (tenant, envId) => envs.get(tenant, envId),
    openSession: (tenant, envId, detail) => envs.openSession(tenant, envId, detail),
    maxPerEnv: env.maxSessions,
    idleMs: env.sessionIdleMs,
    logger: logger.child({ component: 'exec' }),
  });
}
