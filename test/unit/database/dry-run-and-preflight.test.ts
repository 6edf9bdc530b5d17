import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toReconciled } from '../../../src/api/reconcile-messages.js';
import { DatabasePasswords } from '../../../src/domain/database/passwords.js';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import { SharedDatabaseProvider, type SharedProviderOptions } from '../../../src/domain/database/shared.js';
import { StandaloneDatabaseProvider } from '../../../src/domain/database/standalone.js';
import { EnvHarness } from '../../support/env/env-harness.js';

const ENV = 'env-0123456789ab';
const passwords = new DatabasePasswords(Buffer.alloc(32));
const never = new AbortController().signal;

function standalone(): StandaloneDatabaseProvider {
  return new StandaloneDatabaseProvider({
    passwords,
    settings: { memoryBytes: 1024 ** 3, cpuMillis: 1_500 },
    image: async (wanted) => wanted ?? 'mysql:8.0',
  });
}

/** The provider over a server that says this of itself, and nothing else. */
function shared(facts: { connections: number; maxConnections: number } | undefined): SharedDatabaseProvider {
  const server = { look: async () => ({ facts }), capacity: async () => undefined };
  return new SharedDatabaseProvider({ server, passwords } as unknown as SharedProviderOptions);
}

it('a server of its own is shown as it would be, without passwords and with nothing made', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-preview-'));
  try {
    const request = { provider: 'standalone' };
    const shown = await standalone().preview({ envId: ENV, directory }, request, never);
    expect(await readdir(directory)).toEqual([]);
    const target = { envId: ENV, port: 18_000, directory, initSqlFile: undefined };
    const made = await standalone().prepare(target, request, never);
    const user = passwords.of(`env:${ENV}`);
    const root = passwords.of(`env:${ENV}:root`);
    expect(
      JSON.parse(JSON.stringify(made).replaceAll(root, 'not-shown').replaceAll(user, 'not-shown')),
    ).toEqual(shown);
    expect(shown.environment['DB_PASSWORD']).toBe('not-shown');
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('a schema on the shared server is shown without asking the server', async () => {
  const shown = await shared(undefined).preview({ envId: ENV }, { provider: 'shared' });
  expect(shown).toMatchObject({
    network: `${ENV}-db-net`,
    environment: {
      DB_HOST: 'shared-mysql',
      DB_NAME: 'env_0123456789ab',
      DB_USER: ENV,
      DB_PASSWORD: 'not-shown',
    },
  });
});

it('RenderApp shows the database of an app', async () => {
  const world = await EnvHarness.open();
  try {
    world.databases = new DatabaseProviderRegistry([standalone()]);
    world.restart();
    const metadata = { runtimeType: 'node', database: { provider: 'standalone' } };
    const result = await world.operations.dryRun.of(world.request({ metadata }), never);
    expect(result.composeYaml).toContain('image: "mysql:8.0"');
    expect(result.composeYaml).toContain('MYSQL_PASSWORD: "not-shown"');
    expect(result.deployable).toBe(true);
  } finally {
    await world.close();
  }
});

it.each([
  ['has no server yet', undefined, false],
  ['has connections for it', { connections: 495, maxConnections: 500 }, false],
  ['has too few connections', { connections: 496, maxConnections: 500 }, true],
])('the shared database %s: a deployment is refused or not', async (_, facts, isShort) => {
  const shortage = await shared(facts).shortage({ provider: 'shared' }, never);
  expect(shortage?.subject).toBe(isShort ? 'database connections' : undefined);
});

it.each([
  ['cannot have more', 100, 500 - 5 - 16 - 100, []],
  ['may have too many', 101, 500 - 5 - 16 - 100, ['counted']],
  ['cannot be known', 0, undefined, ['counted']],
])('connections are counted only where they may not suffice: envs %s', async (_, one, another, counted) => {
  const asked: string[] = [];
  const server = {
    look: async () => {
      asked.push('counted');
      return { facts: { connections: 0, maxConnections: 500 } };
    },
    capacity: async () => 500,
    ensure: async () => undefined,
    administer: async () => {
      if (another === undefined) throw new Error('no answer');
      return [`env-1\t${one}`, `env-2\t${another}`];
    },
  };
  const provider = new SharedDatabaseProvider({ server, passwords } as unknown as SharedProviderOptions);
  expect(await provider.shortage({ provider: 'shared' }, never)).toBeUndefined();
  expect(asked).toEqual(counted);
});

it('ReconcileEnvs tells of schemas and users that no env has', () => {
  const { strays } = toReconciled({
    things: [],
    directories: [],
    ports: [],
    databases: [{ envId: ENV, kind: 'schema', name: 's' }],
    incomplete: [],
    errors: [],
  } as unknown as Parameters<typeof toReconciled>[0]);
  expect(strays).toMatchObject([{ envId: ENV, resource: { name: 's' } }]);
});
