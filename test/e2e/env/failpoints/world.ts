import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connect,
  DeployEnvRequest,
  EnvState,
  operationEnd,
  SharedDatabaseState,
  type BerthClient,
  type EnvEvent,
} from '../../../../clients/typescript/src/index.js';
import { startDaemon, type LogLine, type TestDaemon } from '../../../support/daemon.js';
import { docker as realDocker, ownedBy } from '../../../support/docker-cli.js';
import { APPS, type AppName } from './apps.js';
import { violations, type Place } from './invariants.js';
import { readRows, type EnvRow, type Rows } from './rows.js';
import { removeSharedServer, sharedServerOf } from '../../../support/env/shared-server.js';

const USER = { userId: 'ada', appId: 'app' };

export interface WorldOptions {
  /** Number of the world among those that are open at once: its ports and subnets follow from it. */
  lane: number;
  env?: Record<string, string>;
  /** Default: the machine's. */
  docker?: Place['docker'];
}

/** One berthd with failpoints that a test arms and disarms while it runs, and that is started again when one killed it. */
export class FailpointWorld {
  #cases = 0;
  #contents = 0;

  private constructor(
    readonly docker: Place['docker'],
    private readonly directory: string,
    public daemon: TestDaemon,
    public client: BerthClient,
  ) {}

  static async open({ lane, env = {}, docker = realDocker }: WorldOptions): Promise<FailpointWorld> {
    const directory = mkdtempSync(join(tmpdir(), 'berth-failpoints-'));
    writeFileSync(join(directory, 'rules'), '');
    const first = 18_800 + lane * 12;
    const daemon = await startDaemon({
      env: {
        BERTH_FAILPOINTS: `file:${join(directory, 'rules')}`,
        BERTH_ENV_PORT_FIRST: String(first),
        BERTH_ENV_PORT_LAST: String(first + 11),
        BERTH_ENV_SUBNETS: `10.218.${lane}.0/24`,
        BERTH_ENV_SHARED_DATABASE_SUBNETS: `10.218.${100 + lane}.0/24`,
        BERTH_ENV_SHARED_DATABASE_IMAGE: process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9',
        BERTH_ENV_STANDALONE_DATABASE_IMAGE: process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9',
        BERTH_ENV_STOP_GRACE_MS: '2000',
        BERTH_ENV_SWEEP_INTERVAL_MS: '600000',
        BERTH_POOL_POOLING: 'off',
        BERTH_LOCAL_MODE: 'off',
        BERTH_LOG_LEVEL: 'info',
        ...env,
      },
      waitForPool: false,
    });
    return new FailpointWorld(docker, directory, daemon, connect({ address: daemon.address }));
  }

  get place(): Place {
    return { stateDir: this.daemon.stateDir, owner: this.daemon.owner, docker: this.docker };
  }

  rows(): Rows {
    return readRows(join(this.daemon.stateDir, 'berth.db'));
  }

  /** The one env that is live, if any. */
  env(): EnvRow | undefined {
    return this.rows().live[0];
  }

  /** From now on these rules hold, and counting begins anew. */
  arm(rules: string): void {
    writeFileSync(join(this.directory, 'rules'), `# ${++this.#cases}\n${rules}\n`);
  }

  disarm(): void {
    this.arm('');
  }

  /** As `disarm`; resolves when all that berthd logged until then has come, which may be later than its answers. */
  async disarmed(): Promise<void> {
    this.disarm();
    const mark = `# ${this.#cases}\n`;
    // Reads the rules, like any call that passes a failpoint.
    await this.client.env.getSharedDatabase({});
    await this.daemon.logged(
      (line) => line.event === 'failpoints_read' && String(line['text']).startsWith(mark),
    );
  }

  /** Lines that berthd logs from now on. */
  mark(): () => LogLine[] {
    const { log } = this.daemon;
    const from = log.length;
    return () => log.slice(from);
  }

  deploy(app: AppName, more: object = {}): Promise<Ending> {
    const request = DeployEnvRequest.fromPartial({ ...USER, files: [...APPS[app]], ...more });
    return ending(this.client.env.deployEnv(request));
  }

  /** Deploys the app with a content that it never had before. */
  deployOther(app: AppName): Promise<Ending> {
    const content = { path: 'content.txt', content: Buffer.from(String(++this.#contents)), mode: 0 };
    return this.deploy(app, { files: [...APPS[app], content] });
  }

  /** Asks for the shared server. */
  async ensureServer(): Promise<Ending> {
    try {
      const { database } = await this.client.env.ensureSharedDatabase({ requestId: '' });
      const ok = database?.state === SharedDatabaseState.READY;
      return { text: ok ? 'succeeded' : `answered that the server is in state ${database?.state}`, ok };
    } catch (error) {
      return refused(error);
    }
  }

  /** As a person would who wants nothing of the shared server any more; envs that use it are gone by then. */
  removeServer(): Promise<void> {
    return removeSharedServer(this.daemon.owner, this.docker);
  }

  run(kind: 'stop' | 'start' | 'reset' | 'destroy', envId: string): Promise<Ending> {
    return ending(this.client.env[`${kind}Env`]({ envId, requestId: '' } as never));
  }

  /** Resolves when the env is destroyed, whoever does it. */
  async gone(envId: string): Promise<Ending> {
    try {
      for await (const { event } of this.client.env.watchEnv({ envId, afterSeq: 0 } as never)) {
        if (event?.event?.$case === 'stateChanged' && event.event.value.to === EnvState.DESTROYED)
          return { text: 'expired', ok: true };
      }
      return { text: 'the stream ended', ok: false };
    } catch (error) {
      return refused(error);
    }
  }

  /** Resolves when berthd, killed by a failpoint, is gone and its successor has settled what it left. */
  async revive(): Promise<void> {
    await this.daemon.kill();
    this.disarm();
    this.client.close();
    this.daemon = await this.daemon.restart({ BERTH_LOG_LEVEL: 'debug' });
    this.client = connect({ address: this.daemon.address });
    await this.daemon.logged((line) => line.event === 'envs_reconciled');
  }

  /** Waits until what was cut off is settled, and asks for another try of what could not be undone, as an operator may. */
  async settle(): Promise<void> {
    for (;;) {
      const seen = new Set(this.daemon.log);
      const { unfinished } = this.rows();
      if (unfinished.length === 0) return;
      if (unfinished.every(({ state }) => state === 'undo_incomplete')) {
        await this.client.env.reconcileEnvs({ requestId: '', apply: true });
        return;
      }
      // It was cut off, or berthd itself has begun something since.
      await this.daemon.logged(
        (line) =>
          !seen.has(line) &&
          (line.event === 'envs_recovered' || /^env \w+ (succeeded|failed)$/.test(line.msg ?? '')),
      );
    }
  }

  async violations(): Promise<string[]> {
    // What is on a server that is on its way back can be asked when it is there.
    const server = await this.docker('ps', '-aq', '--filter', `name=^${sharedServerOf(this.daemon.owner)}$`);
    if (server !== '') await this.client.env.ensureSharedDatabase({ requestId: '' });
    return await violations(this.place);
  }

  /** @returns what is left then */
  async close(): Promise<string[]> {
    this.disarm();
    for (const { id } of this.rows().live) await this.run('destroy', id);
    // Whatever comes of it, nothing may be left running.
    const wrong = await this.violations().catch((error: unknown) => [String(error)]);
    this.client.close();
    await this.daemon.stop();
    await removeSharedServer(this.daemon.owner, this.docker);
    const left = this.docker === realDocker ? await ownedBy(this.daemon.owner) : [];
    await this.daemon.dispose();
    rmSync(this.directory, { recursive: true });
    return [...wrong, ...left.map((id) => `left behind: ${id}`)];
  }
}

/** How a call ended. */
export interface Ending {
  /** For the table. */
  text: string;
  /** Whether the operation succeeded. */
  ok: boolean;
}

/** One stream, without taking it up again when berthd goes away. */
async function ending(responses: AsyncIterable<{ event?: EnvEvent }>): Promise<Ending> {
  try {
    for await (const { event } of responses) {
      const end = event && operationEnd(event);
      if (end?.$case === 'succeeded') return { text: 'succeeded', ok: true };
      if (end?.$case === 'failed') return { text: `failed ${end.value.error?.reason ?? ''}`, ok: false };
      if (end) return { text: end.$case, ok: false };
    }
    return { text: 'the stream ended without an end', ok: false };
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): Ending {
  const reason = (error as { reason?: string }).reason ?? (error as Error).message.slice(0, 80);
  return { text: `refused ${reason}`, ok: false };
}
