import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  connect,
  operationEnd,
  SharedDatabaseState,
  type BerthClient,
  type Env,
  type EnvEvent,
} from '../../../clients/typescript/src/index.js';
import { hostState } from '../../support/host-state.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { berth } from '../cli/berth.js';
import { removeSharedServer } from '../../support/env/shared-server.js';

const SETTINGS = {
  BERTH_ENV_PORT_FIRST: '18640',
  BERTH_ENV_PORT_LAST: '18659',
  BERTH_ENV_SUBNETS: '10.214.4.0/23',
  BERTH_ENV_SHARED_DATABASE_SUBNETS: '10.214.6.0/24',
  BERTH_ENV_SHARED_DATABASE_IMAGE: process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9',
  BERTH_ENV_STOP_GRACE_MS: '500',
};

let before: string[];
let daemon: TestDaemon;
let client: BerthClient;

beforeAll(async () => {
  before = await hostState();
  daemon = await startDaemon({
    env: { ...SETTINGS, BERTH_ENV_SHARED_DATABASE_CREATE: 'off' },
    waitForPool: false,
  });
  client = connect({ address: daemon.address });
});

afterAll(async () => {
  client.close();
  expect(await daemon.stop()).toBe(0);
  await removeSharedServer(daemon.owner);
  expect(await hostState(daemon.stateDir)).toEqual(before);
  await daemon.dispose();
});

async function finished(
  events: AsyncIterable<EnvEvent>,
): Promise<NonNullable<ReturnType<typeof operationEnd>>> {
  let end: ReturnType<typeof operationEnd>;
  for await (const event of events) end = operationEnd(event) ?? end;
  if (end === undefined) throw new Error('the stream has no terminal event');
  return end;
}

function app(files: Record<string, string>) {
  const metadata = { runtimeType: 'python', startCommand: ['sleep', '60'], database: { provider: 'shared' } };
  return Object.entries({ 'metadata.json': JSON.stringify(metadata), ...files }).map(([path, text]) => ({
    path,
    content: Buffer.from(text),
    mode: 0,
  }));
}

it('may be forbidden, is made by request, survives berthd, and is rid of each env', async () => {
  const absent = await berth(daemon.address, ['database']);
  expect(absent.stdout.toString()).toContain('berthd may not make one');
  const refused = await finished(client.deploy({ userId: 'ada', appId: 'forbidden', files: app({}) }));
  expect(refused).toMatchObject({
    $case: 'failed',
    value: { error: { reason: 'DATABASE_CREATION_OFF', step: 'prepare_database' } },
  });

  client.close();
  await daemon.stop();
  daemon = await daemon.restart({ BERTH_ENV_SHARED_DATABASE_CREATE: 'on' });
  client = connect({ address: daemon.address });
  const [{ database: made }, ensured] = await Promise.all([
    client.env.ensureSharedDatabase({ requestId: 'make-it' }),
    berth(daemon.address, ['database', 'ensure', '--json']),
  ]);
  expect(made).toMatchObject({
    state: SharedDatabaseState.READY,
    host: 'shared-mysql',
    port: 3306,
    schemaCount: 0,
  });
  expect(ensured.code).toBe(0);
  const { database: printed } = JSON.parse(ensured.stdout.toString()) as {
    database: { containerId: string };
  };
  expect(printed.containerId).toBe(made?.containerId);
  const again = await client.env.ensureSharedDatabase({ requestId: 'make-it' });
  expect(again.database?.containerId).toBe(made?.containerId);

  const broken = await finished(
    client.deploy({ userId: 'ada', appId: 'broken', files: app({ 'init.sql': 'SELECT 1;\nSELECT x;\n' }) }),
  );
  expect(broken).toMatchObject({ $case: 'failed', value: { error: { reason: 'DATABASE_INIT_FAILED' } } });
  if (broken.$case === 'failed') expect(broken.value.error?.message).toContain('line 2: MySQL says 1054');

  const deployed = await finished(client.deploy({ userId: 'ada', appId: 'kept', files: app({}) }));
  if (deployed.$case !== 'succeeded') throw new Error(JSON.stringify(deployed.value));
  const env = deployed.value.env as Env;
  expect((await client.env.getSharedDatabase({})).database?.schemaCount).toBe(1);
  const told = {
    provider: 'shared',
    host: 'shared-mysql',
    port: 3306,
    name: env.envId.replace('-', '_'),
    user: env.envId,
    maxConnections: 5,
  };
  expect(env.database).toEqual(told);
  expect((await client.env.getEnv({ envId: env.envId })).env?.database).toEqual(told);

  client.close();
  await daemon.kill();
  daemon = await daemon.restart();
  client = connect({ address: daemon.address });
  // A server of an earlier life is taken over, and what it has of the env is found.
  expect(await finished(client.destroy(env.envId))).toMatchObject({ $case: 'succeeded' });
  const { database } = await client.env.getSharedDatabase({});
  expect(database).toMatchObject({ schemaCount: 0, containerId: made?.containerId, message: '' });
  const shown = await berth(daemon.address, ['database']);
  expect(shown.stdout.toString()).toMatch(/state +ready/);
});
