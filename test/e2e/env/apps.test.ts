import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  connect,
  DeployEnvRequest,
  EnvState,
  FindingSeverity,
  OperationOutcome,
  operationEnd,
  type BerthClient,
  type BerthRpcError,
  type Env,
  type EnvEvent,
} from '../../../clients/typescript/src/index.js';
import { berth } from '../cli/berth.js';
import { tar, zip } from '../../support/archives.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';

const NO_REQUEST = DeployEnvRequest.fromPartial({});
const APPS = resolve(import.meta.dirname, '../../../templates/apps');
const METADATA = JSON.stringify({ runtimeType: 'node', containerPort: 3000, startCommand: 'node server.js' });
const server = (text: string) =>
  `require('http').createServer((q, r) => r.end('${text}')).listen(3000); process.on('SIGTERM', () => process.exit(0));`;
const files = (text: string) => [
  { name: 'metadata.json', content: METADATA },
  { name: 'server.js', content: server(text) },
];

let daemon: TestDaemon;
let client: BerthClient;
let folder: string;

beforeAll(async () => {
  daemon = await startDaemon({
    env: { BERTH_ENV_PORT_FIRST: '18630', BERTH_ENV_PORT_LAST: '18640', BERTH_ENV_SUBNETS: '10.214.4.0/22' },
    waitForPool: false,
  });
  await cp(join(APPS, 'hello-node'), join(daemon.stateDir, 'apps/hello-node'), { recursive: true });
  client = connect({ address: daemon.address });
  folder = await mkdtemp(join(tmpdir(), 'berth-apps-e2e-'));
});

afterAll(async () => {
  client.close();
  expect(await daemon.stop()).toBe(0);
  await daemon.dispose();
  await rm(folder, { recursive: true });
});

async function end(events: AsyncIterable<EnvEvent>): Promise<Env> {
  let last: EnvEvent | undefined;
  for await (const event of events) last = event;
  const ended = last && operationEnd(last);
  if (ended?.$case !== 'succeeded') throw new Error(`it did not succeed: ${JSON.stringify(last)}`);
  return ended.value.env!;
}

async function refusal(work: Promise<unknown>): Promise<BerthRpcError> {
  return await work.then(
    () => Promise.reject(new Error('it was accepted')),
    (error: unknown) => error as BerthRpcError,
  );
}

const answer = async ({ url }: Env) => (await fetch(url)).text();
const incoming = () =>
  readdir(join(daemon.stateDir, 'apps/.uploads', daemon.owner, '.incoming')).catch(() => []);
const appIds = async () => (await client.env.listApps()).apps.map(({ appId }) => appId);

test('an app is tried, uploaded, deployed, replaced while it runs, and deployed anew', async () => {
  const stored = await client.uploadApp({ appId: 'shop' }, gzipSync(tar(...files('one'))));
  expect(stored).toMatchObject({ appId: 'shop', valid: true, fileCount: 2, findings: [] });
  expect(stored.metadata).toMatchObject({
    runtimeType: 'node',
    containerPort: 3000,
    startCommand: 'node server.js',
  });
  const got = await client.env.getApp({ appId: 'shop' });
  expect(got.files.map(({ path }) => path)).toEqual(['metadata.json', 'server.js']);
  expect(await appIds()).toEqual(['hello-node', 'shop']);

  const deploy = { userId: 'ada', appId: 'shop' };
  const dryRun = async () => await client.env.renderApp({ deploy: { ...NO_REQUEST, ...deploy } });
  const tried = await dryRun();
  expect(tried).toMatchObject({
    deployable: true,
    outcome: OperationOutcome.CREATED,
    appDigest: stored.digest,
  });
  expect(tried.composeYaml).toContain('container_name: "env-000000000000"');
  expect((await client.env.listEnvs()).envs).toEqual([]);
  expect(await readdir(join(daemon.stateDir, 'envs')).catch(() => [])).toEqual([]);

  const env = await end(client.deploy(deploy));
  expect(await answer(env)).toBe('one');
  expect(await dryRun()).toMatchObject({ outcome: OperationOutcome.UNCHANGED, steps: [] });
  expect((await refusal(client.uploadApp({ appId: 'shop' }, zip(...files('two'))))).reason).toBe(
    'APP_EXISTS',
  );
  await client.uploadApp({ appId: 'shop', replace: true }, zip(...files('two')));
  expect(await answer(env)).toBe('one');
  await end(client.stop(env.envId));
  await end(client.start(env.envId));
  expect(await answer(env)).toBe('one');
  expect(await dryRun()).toMatchObject({ outcome: OperationOutcome.REPLACED });
  const anew = await end(client.deploy(deploy));
  expect([anew.envId, anew.state, await answer(anew)]).toEqual([env.envId, EnvState.RUNNING, 'two']);
  await end(client.destroy(env.envId));
});

test('what is refused says why over the wire, and leaves nothing', async () => {
  const before = await appIds();
  const climbing = await refusal(client.uploadApp({ appId: 'bad' }, tar({ name: '../x', content: 'x' })));
  expect(climbing).toMatchObject({
    status: 'INVALID_ARGUMENT',
    reason: 'ARCHIVE_INVALID',
    violations: [{ field: '../x', rule: 'must not climb out with ".."' }],
  });
  const large = tar({ name: 'big', content: Buffer.alloc(70 * 1024 * 1024) });
  expect(await refusal(client.uploadApp({ appId: 'bad', sizeBytes: 1_000 }, large))).toMatchObject({
    violations: [{ field: 'header.size_bytes' }],
  });
  expect(await refusal(client.uploadApp({ appId: 'bad' }, gzipSync(large)))).toMatchObject({
    violations: [{ field: 'big' }],
  });
  const wrong = tar({ name: 'metadata.json', content: '{"runtimeType":"node","containerPort":0,"x":1}' });
  expect((await refusal(client.uploadApp({ appId: 'bad' }, wrong))).violations).toHaveLength(2);
  const other = connect({ address: daemon.address, tenant: 'other' });
  expect((await refusal(other.env.getApp({ appId: 'shop' }))).reason).toBe('APP_NOT_FOUND');
  expect((await other.env.listApps()).apps.map(({ appId }) => appId)).toEqual(['hello-node']);
  other.close();
  expect(await appIds()).toEqual(before);
  expect(await incoming()).toEqual([]);
});

test('a client that goes away in the middle leaves nothing, however it goes', async () => {
  const abort = new AbortController();
  async function* cut(): AsyncGenerator<Uint8Array> {
    yield tar(...files('x'));
    abort.abort();
    await new Promise(setImmediate);
  }
  const cancelled = await refusal(client.uploadApp({ appId: 'gone' }, cut(), { signal: abort.signal }));
  expect(cancelled.reason).toBe('CANCELLED');

  // A whole archive has been sent, and then the process is killed: its end was never said.
  const program = `
    import { connect } from ${JSON.stringify(resolve(import.meta.dirname, '../../../dist/clients/typescript/src/index.js'))};
    const client = connect({ address: process.argv[1] });
    const chunks = async function* () { yield Buffer.from(process.argv[2], 'base64'); console.log('sent'); await new Promise((done) => setTimeout(done, 60_000)); };
    await client.uploadApp({ appId: 'gone' }, chunks());`;
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    program,
    daemon.address,
    tar(...files('x')).toString('base64'),
  ]);
  await new Promise<void>((sent) => child.stdout.once('data', () => sent()));
  child.kill('SIGKILL');
  await expect.poll(incoming).toEqual([]);
  expect(await appIds()).not.toContain('gone');
});

test('an upload that is under way when berthd is killed is gone at the next start; the apps are there', async () => {
  async function* stuck(): AsyncGenerator<Uint8Array> {
    yield tar(...files('x'));
    await expect.poll(incoming).toHaveLength(1);
    await daemon.kill();
  }
  await refusal(client.uploadApp({ appId: 'cut' }, stuck()));
  expect(await incoming()).toHaveLength(1);
  client.close();
  daemon = await daemon.restart();
  client = connect({ address: daemon.address });
  expect(await incoming()).toEqual([]);
  expect(await appIds()).toEqual(['hello-node', 'shop']);
});

test('berth apps: upload of a folder, list, show, render', async () => {
  const hello = join(APPS, 'hello-node');
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await berth(daemon.address, ['apps', ...args]);
    return { code, out: stdout.toString(), err: stderr };
  };
  expect(await run('upload', hello, '--app-id', 'mine')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^mine is stored: 2 files/),
  });
  expect(await run('upload', hello, '--app-id', 'mine')).toMatchObject({
    code: 1,
    err: expect.stringContaining('APP_EXISTS'),
  });
  expect((await run()).out).toMatch(/^APP +RUNTIME +FILES[^]*\nmine +node +2/);
  expect((await run('mine')).out).toContain('server.js');
  const mine = JSON.parse((await run('mine', '--json')).out) as { app: { digest: string } };
  const operators = JSON.parse((await run('hello-node', '--json')).out) as { app: { digest: string } };
  expect(mine.app.digest).toBe(operators.app.digest);
  const rendered = await run('render', '--app', 'mine');
  expect([rendered.code, rendered.out]).toEqual([0, expect.stringContaining('services:\n  app:')]);
  expect(rendered.err).toMatch(/^outcome: created; steps: check_image, claim_port/);
  const { apps } = await client.env.listApps({ runtime: 'node' });
  expect(
    apps.flatMap(({ findings }) => findings).filter(({ severity }) => severity === FindingSeverity.ERROR),
  ).toEqual([]);
});
