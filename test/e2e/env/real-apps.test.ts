import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import {
  connect,
  EnvHealth,
  EnvState,
  EnvWarningKind,
  operationEnd,
  OutputStream,
  type BerthClient,
  type DeployEnvRequest,
  type DeepPartial,
  type Env,
  type EnvEvent,
} from '../../../clients/typescript/src/index.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { hostState } from '../../support/host-state.js';
import { appWithPackages } from '../../support/published-packages.js';
import { removeSharedServer } from '../../support/env/shared-server.js';

const APPS = resolve(import.meta.dirname, '../../apps');
const PLAIN_APPS = ['static-site', 'slow-start', 'short-lived', 'endless-log'];
const THREE_MINUTES = 180_000;
const MIB = 1024 * 1024;

let before: string[];
let appsPath: string;
let daemon: TestDaemon;
let client: BerthClient;

beforeAll(async () => {
  before = await hostState();
  appsPath = await mkdtemp(join(tmpdir(), 'berth-real-apps-'));
  for (const app of PLAIN_APPS) await cp(join(APPS, app), join(appsPath, app), { recursive: true });
  daemon = await startDaemon({
    env: {
      BERTH_ENV_PORT_FIRST: '18730',
      BERTH_ENV_PORT_LAST: '18739',
      BERTH_ENV_SUBNETS: '10.214.12.0/23',
      BERTH_ENV_SHARED_DATABASE_SUBNETS: '10.214.14.0/24',
      BERTH_ENV_SHARED_DATABASE_IMAGE: process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9',
      BERTH_ENV_APPS_PATH: appsPath,
      BERTH_ENV_MAX_APP_BYTES: String(64 * MIB),
      BERTH_ENV_MAX_APP_FILES: '10000',
      BERTH_ENV_STOP_GRACE_MS: '2000',
      BERTH_POOL_POOLING: 'off',
    },
    waitForPool: false,
  });
  client = connect({ address: daemon.address });
});

afterEach(async () => {
  for (const { envId } of (await client.env.listEnvs({})).envs) await ended(client.destroy(envId));
});

afterAll(async () => {
  client.close();
  expect(await daemon.stop()).toBe(0);
  await removeSharedServer(daemon.owner);
  expect(await hostState(daemon.stateDir)).toEqual(before);
  await daemon.dispose();
  await rm(appsPath, { recursive: true });
});

type End = NonNullable<ReturnType<typeof operationEnd>>;

async function ended(events: AsyncIterable<EnvEvent>): Promise<End> {
  let end: End | undefined;
  for await (const event of events) end = operationEnd(event) ?? end;
  if (end === undefined) throw new Error('the stream has no terminal event');
  return end;
}

async function deployed(appId: string, more: DeepPartial<DeployEnvRequest> = {}): Promise<Env> {
  const end = await ended(client.deploy({ userId: 'ada', appId, ...more }));
  if (end.$case !== 'succeeded') throw new Error(JSON.stringify(end));
  expect(end.value.env?.state).toBe(EnvState.RUNNING);
  return end.value.env!;
}

const get = async ({ envId }: Env): Promise<Env> => (await client.env.getEnv({ envId })).env!;
const text = async ({ url }: Env, path = '/') => (await fetch(url + path)).text();

async function logged({ envId }: Env): Promise<string[]> {
  const lines: string[] = [];
  for await (const { entry } of client.envLogs({ envId }))
    if (entry?.$case === 'line') lines.push(entry.value.text.toString().trimEnd());
  return lines;
}

/** What an env tells from its first event on, up to the one that is wanted. */
async function toldBy(env: Env, wanted: (event: EnvEvent['event']) => boolean): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  for await (const { event } of client.watchEnv({ envId: env.envId }, { signal })) if (wanted(event)) return;
}

/** After a destroy its address answers nobody, and nothing in Docker has its name. */
async function destroyedWithAllItHad(env: Env): Promise<void> {
  expect(await ended(client.destroy(env.envId))).toMatchObject({ $case: 'succeeded' });
  await expect(fetch(env.url)).rejects.toThrow();
  expect((await hostState(daemon.stateDir)).filter((thing) => thing.includes(env.envId))).toEqual([]);
  expect(await get(env)).toMatchObject({ state: EnvState.DESTROYED });
}

/** Apps of published packages, downloaded once. */
const withPackages = async (app: 'express-notes' | 'flask-notes' | 'java-notes') =>
  appWithPackages(app, join(APPS, app), join(appsPath, app));

describe('a site of static files', () => {
  it('is served with its folders and types, and says what is not there', async () => {
    const env = await deployed('static-site');
    expect(await text(env)).toContain('<h1>Home</h1>');
    expect(await text(env, '/about/')).toContain('<h1>About</h1>');
    expect((await fetch(`${env.url}/site.css`)).headers.get('content-type')).toContain('text/css');
    expect((await fetch(`${env.url}/nothing`)).status).toBe(404);
    expect((await logged(env)).join('\n')).toMatch(/GET \/nothing .* 404/);
    await destroyedWithAllItHad(env);
  });
});

describe('an app that ends three seconds after its start', () => {
  it('is up at first; that it ended and was started again is said, with its last words in the log', async () => {
    const env = await deployed('short-lived');
    expect(await text(env)).toBe('still here');
    await toldBy(env, (event) => event?.$case === 'warning' && event.value.kind === EnvWarningKind.RESTARTED);
    expect((await get(env)).containers[0]?.restartCount).toBeGreaterThanOrEqual(1);
    expect(await logged(env)).toContain('out of patience');
    await destroyedWithAllItHad(env);
  });

  onlyInFull(
    it,
    'before it was ready is a deployment that failed, with exit code and last words, and leaves nothing',
    async () => {
      const end = await ended(client.deploy({ userId: 'ada', appId: 'short-lived', env: { ANSWERS: 'no' } }));
      if (end.$case !== 'failed') throw new Error(end.$case);
      const { error, env } = end.value;
      expect(error).toMatchObject({ reason: 'APP_EXITED', step: 'wait_ready', undoErrors: [] });
      expect(error?.message).toContain('3');
      expect(error?.logLines.map((line) => line.text.toString().trimEnd())).toContain('out of patience');
      expect(env?.state).toBe(EnvState.FAILED);
      expect((await hostState(daemon.stateDir)).filter((thing) => thing.includes(env!.envId))).toEqual([]);
    },
  );
});

/** Follows `endless-log`, whose lines are numbered, and checks each line against the one before it. */
async function followedEndlessLog(
  envId: string,
  isEnough: (soFar: { lines: number; gaps: number }) => boolean,
): Promise<{ lines: number; gaps: number }> {
  const soFar = { lines: 0, gaps: 0 };
  let last: number | undefined;
  let isGap = false;
  for await (const { entry } of client.envLogs({ envId, follow: true, tail: 1 })) {
    if (entry?.$case === 'gap') {
      soFar.gaps++;
      isGap = true;
    }
    if (entry?.$case !== 'line') continue;
    expect(entry.value.stream).toBe(OutputStream.STDOUT);
    const number = Number(/^line (\d+)/.exec(entry.value.text.toString())?.[1]);
    if (last !== undefined && (isGap ? number <= last + 1 : number !== last + 1))
      throw new Error(`line ${number} came behind line ${last} with ${isGap ? 'a' : 'no'} gap told between`);
    last = number;
    isGap = false;
    soFar.lines++;
    if (isEnough(soFar)) break;
  }
  return soFar;
}

describe('an app', () => {
  it('that writes without end answers, is followed line by line, and is destroyed while it writes', async () => {
    const env = await deployed('endless-log');
    const { lines } = await followedEndlessLog(env.envId, ({ lines }) => lines === 5_000);
    expect(lines).toBe(5_000);
    expect(await text(env)).toBe('writing');
    await destroyedWithAllItHad(env);
  });

  onlyInFull(
    it,
    'that writes faster than it can be read is followed with a gap told where lines are missing, and only there',
    async () => {
      const env = await deployed('endless-log');
      const { gaps } = await followedEndlessLog(env.envId, ({ gaps }) => gaps === 1);
      expect(gaps).toBe(1);
      await destroyedWithAllItHad(env);
    },
    THREE_MINUTES,
  );

  onlyInFull(
    it,
    'Java: Jetty with the JDBC driver, on the shared database, by DB_URL',
    async () => {
      await withPackages('java-notes');
      const env = await deployed('java-notes', { readyTimeoutMs: 120_000 });
      expect(env.database).toMatchObject({ provider: 'shared', maxConnections: 5 });
      expect(await text(env, '/notes')).toBe("from Java's file\n日本");
      expect(await logged(env)).toEqual(
        expect.arrayContaining(['listening on 8080', 'asked for /notes']) as string[],
      );
      expect(await ended(client.stop(env.envId))).toMatchObject({ $case: 'succeeded' });
      expect(await ended(client.start(env.envId))).toMatchObject({ $case: 'succeeded' });
      expect(await text(env)).toBe("from Java's file\n日本");
      await destroyedWithAllItHad(env);
      expect((await client.env.getSharedDatabase({})).database?.schemaCount).toBe(0);
    },
    THREE_MINUTES,
  );

  onlyInFull(
    it,
    'Express with MySQL of its own: what is noted stays over stop and start, and is gone after a reset',
    async () => {
      await withPackages('express-notes');
      const env = await deployed('express-notes');
      expect((await get(env)).database).toEqual({
        provider: 'standalone',
        host: 'db',
        port: 3306,
        name: 'notes',
        user: 'app',
        maxConnections: 5,
      });
      const notes = async () => (await fetch(`${env.url}/notes`)).json();
      const body = JSON.stringify({ text: 'mine' });
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(`${env.url}/notes`, { method: 'POST', body, headers })).status).toBe(201);
      expect(await notes()).toEqual(["from Express's file", 'mine']);
      expect(await logged(env)).toContain('noted mine');
      await ended(client.stop(env.envId));
      await ended(client.start(env.envId));
      expect(await notes()).toEqual(["from Express's file", 'mine']);
      expect(await ended(client.reset(env.envId))).toMatchObject({ $case: 'succeeded' });
      expect(await notes()).toEqual(["from Express's file"]);
      await destroyedWithAllItHad(env);
    },
    THREE_MINUTES,
  );

  onlyInFull(
    it,
    'Flask: writes to its volume alone',
    async () => {
      await withPackages('flask-notes');
      const env = await deployed('flask-notes');
      const added = await fetch(env.url, {
        method: 'POST',
        body: new URLSearchParams({ text: '<b>mine</b>' }),
      });
      expect(added.status).toBe(201);
      expect(await text(env)).toBe('<ul><li>&lt;b&gt;mine&lt;/b&gt;</li></ul>');
      expect(await text(env, '/own-folder')).toBe('Read-only file system');
      expect(await logged(env)).toContain('noted <b>mine</b>');
      await ended(client.reset(env.envId));
      expect(await text(env)).toBe('<ul></ul>');
      await destroyedWithAllItHad(env);
    },
    THREE_MINUTES,
  );

  onlyInFull(
    it,
    'that needs twenty seconds is waited for while it answers that it is loading, and is ready when its deployment says so',
    async () => {
      const env = await deployed('slow-start');
      expect(await text(env)).toBe('ready');
      expect(await get(env)).toMatchObject({ health: EnvHealth.HEALTHY });
      await destroyedWithAllItHad(env);
      const impatient = await ended(
        client.deploy({ userId: 'ada', appId: 'slow-start', readyTimeoutMs: 3_000 }),
      );
      expect(impatient).toMatchObject({
        $case: 'failed',
        value: { error: { reason: 'APP_NOT_READY', step: 'wait_ready' } },
      });
    },
    THREE_MINUTES,
  );
});
