import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DatabasePasswords } from '../../../src/domain/database/passwords.js';
import { SET_UP_LINES, StandaloneDatabaseProvider } from '../../../src/domain/database/standalone.js';
import { resolveSpec } from '../../../src/domain/env/app/spec.js';
import { checkMetadata } from '../../../src/domain/env/app/metadata.js';
import { readCompose } from '../../../src/domain/env/compose/check.js';
import { COMPOSE_TEMPLATE, composeEscape, composeView } from '../../../src/domain/env/compose/view.js';
import type { EnvConfig } from '../../../src/domain/env/config.js';
import { nodeRuntime } from '../../../src/domain/runtime/node.js';
import { MustacheTemplates } from '../../../src/templates/mustache-templates.js';

const ENV = 'env-0123456789ab';
const TEMPLATES = join(import.meta.dirname, '../../../templates');
const CONFIG = { memoryBytes: 1, cpuMillis: 1, processes: 1, stopGraceMs: 1_000 } as EnvConfig;
const NAME = 'a"b\'c`d $x ${y}\\%_';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-standalone-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

it('keeps the name of the schema that an earlier deployment has filled, as its data is kept', async () => {
  const provider = new StandaloneDatabaseProvider({
    passwords: new DatabasePasswords(Buffer.alloc(32)),
    settings: { memoryBytes: 1024 ** 3, cpuMillis: 1_500 },
    image: async () => 'mysql:8.0',
  });
  const target = { envId: ENV, port: 18_000, directory, initSqlFile: undefined, keptSchema: 'before' };
  const request = { provider: 'standalone', name: 'other' };
  const database = await provider.prepare(target, request, AbortSignal.timeout(5_000));
  expect(database).toMatchObject({ data: { schema: 'before' }, environment: { DB_NAME: 'before' } });
  expect(await readFile(join(directory, 'standalone.sql'), 'utf8')).toContain('CREATE DATABASE `before`');
});

it('is a service of the compose file that the app waits for, whatever the schema is called', async () => {
  const initSqlFile = join(directory, 'init.sql');
  await writeFile(initSqlFile, 'CREATE TABLE t (a INT);\n');
  const provider = new StandaloneDatabaseProvider({
    passwords: new DatabasePasswords(Buffer.alloc(32)),
    settings: { memoryBytes: 1024 ** 3, cpuMillis: 1_500 },
    image: async (wanted) => wanted ?? 'mysql:8.0',
  });
  const request = { provider: 'standalone', name: NAME, maxConnections: 7 };
  const target = { envId: ENV, port: 18_000, directory, initSqlFile };
  const database = await provider.prepare(target, request, AbortSignal.timeout(5_000));
  expect(JSON.stringify(database.data)).not.toContain(database.environment['DB_PASSWORD']);

  const app = {
    metadata: checkMetadata({
      runtimeType: 'node',
      startCommand: 'node x.js',
      volumes: [{ containerPath: '/data' }],
    }),
    digest: '',
    topLevelFiles: new Set<string>(),
    folders: new Set<string>(),
    source: { kind: 'files' as const, files: [] },
  };
  const view = composeView({
    env: { id: ENV, appDigest: '', restartPolicy: 'unless_stopped' },
    spec: resolveSpec(app, nodeRuntime, { environment: {} }, CONFIG),
    appDirectory: '/apps/a',
    port: 18_000,
    bindHost: '127.0.0.1',
    subnet: '10.0.0.0/28',
    database,
  });
  const text = new MustacheTemplates(TEMPLATES).render(COMPOSE_TEMPLATE, view, composeEscape);
  const project = readCompose(text, '/envs/e/docker-compose.yml', {
    envId: ENV,
    mountable: [directory, '/apps/a'],
  });
  expect(project.services.map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
    ['db', []],
    ['app', [{ service: 'db', condition: 'service_healthy' }]],
  ]);
  expect(project.volumes.map(({ name }) => name)).toEqual([`${ENV}_data`, `${ENV}_berth-database`]);
  const [db] = project.services;
  expect(db).toMatchObject({
    image: 'mysql:8.0',
    containerName: `${ENV}-db`,
    memoryBytes: 1024 ** 3,
    cpus: 1.5,
    capDrop: ['ALL'],
    logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
  });
  expect(db?.command).toContain('--max-user-connections=7');
  // The name is an argument of the check, and no part of its script.
  expect(db?.healthcheck?.test.at(-1)).toBe(NAME);
  expect(db?.environment['MYSQL_PASSWORD']).toBe(database.environment['DB_PASSWORD']);
  expect(db?.environment['MYSQL_ROOT_PASSWORD']).not.toBe(database.environment['DB_PASSWORD']);
  const sql = await readFile(join(directory, 'standalone.sql'), 'utf8');
  expect(sql.split('\n').slice(SET_UP_LINES)).toEqual(['CREATE TABLE t (a INT);', '']);
  expect(sql).toContain('CREATE DATABASE `a"b\'c``d $x ${y}\\%_`');
});
