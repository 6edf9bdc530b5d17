import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import { prepareImages } from '#dist/src/engine/docker/images/prepare-images.js';

const run = promisify(execFile);
const docker = async (...args: string[]) => (await run('docker', args)).stdout.trim();
// Quotes, a backslash and a dollar: what a generated password may have.
const ROOT_PASSWORD = `r'o"o\\t $1`;

let image: string;
let scratch: string;
let containers: string[] = [];
let volumes: string[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-mysql-'));
  await chmod(scratch, 0o755);
  const [mysql] = await prepareImages({
    want: ['mysql'],
    cacheDir: scratch,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  image = mysql?.reference ?? '';
}, 600_000);
afterEach(async () => {
  if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers);
  if (volumes.length > 0) await docker('volume', 'rm', ...volumes);
  containers = [];
  volumes = [];
});
afterAll(() => rm(scratch, { recursive: true }));

/** Starts the image and gives its container's id. */
async function start(environment: Record<string, string>, ...options: string[]): Promise<string> {
  const variables = Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const id = await docker('run', '--detach', ...variables, ...options, image);
  containers.push(id);
  return id;
}

/** Follows the log until a line has the text; rejects when the container ends before. */
async function logLine(id: string, text: string): Promise<void> {
  const follower = execFile('docker', ['logs', '--follow', id]);
  try {
    await new Promise<void>((resolve, reject) => {
      let seen = '';
      const read = (chunk: string) => {
        seen += chunk;
        if (seen.includes(text)) resolve();
      };
      follower.stdout?.on('data', read);
      follower.stderr?.on('data', read);
      follower.once('close', () => reject(new Error(`the log ended without "${text}":\n${seen}`)));
    });
  } finally {
    follower.kill();
  }
}

/** Only the server for users listens on TCP; the one of the set-up says port: 0. */
const serving = (id: string) => logLine(id, 'port: 3306');

async function query(id: string, user: string, password: string, sql: string): Promise<string> {
  return docker(
    ...['exec', '--env', `MYSQL_PWD=${password}`, id],
    ...[
      'mysql',
      '--protocol=tcp',
      '--host=127.0.0.1',
      `--user=${user}`,
      '--batch',
      '--skip-column-names',
      '-e',
      sql,
    ],
  );
}

describe('the database image', () => {
  onlyInFull(
    it,
    'creates users and schema, loads init files, and keeps data over a restart',
    async () => {
      await writeFile(join(scratch, 'init.sql'), 'CREATE TABLE t (x INT); INSERT INTO t VALUES (42);');
      const id = await start(
        {
          MYSQL_ROOT_PASSWORD: ROOT_PASSWORD,
          MYSQL_DATABASE: 'my_app',
          MYSQL_USER: 'app',
          MYSQL_PASSWORD: 'p',
        },
        '--volume',
        `${join(scratch, 'init.sql')}:/docker-entrypoint-initdb.d/init.sql:ro`,
      );
      await serving(id);
      expect(await query(id, 'app', 'p', 'SELECT x FROM my_app.t')).toBe('42');
      expect(await query(id, 'root', ROOT_PASSWORD, 'SELECT CURRENT_USER()')).toBe('root@%');

      await docker('restart', id);
      await logLine(id, 'port: 3306');
      await expect
        .poll(() => query(id, 'app', 'p', 'SELECT x FROM my_app.t').catch(() => ''), { timeout: 20_000 })
        .toBe('42');
    },
    60_000,
  );

  onlyInFull(
    it,
    'grants a user its schema, not one whose name its underscore would match',
    async () => {
      const id = await start({
        MYSQL_ROOT_PASSWORD: 'r',
        MYSQL_DATABASE: 'a_1',
        MYSQL_USER: 'app',
        MYSQL_PASSWORD: 'p',
      });
      await serving(id);
      await query(id, 'root', 'r', 'CREATE DATABASE ab1');
      expect(await query(id, 'app', 'p', "SHOW DATABASES LIKE 'a%'")).toBe('a_1');
    },
    60_000,
  );

  it('says what is missing where no password is set', async () => {
    const id = await start({});
    await logLine(id, 'set MYSQL_ROOT_PASSWORD');
    expect(await docker('wait', id)).toBe('1');
  }, 30_000);

  onlyInFull(
    it,
    'killed during its set-up, starts over instead of serving half a database',
    async () => {
      const volume = await docker('volume', 'create', '--label', 'dev.berth.test=mysql-image');
      volumes.push(volume);
      const environment = { MYSQL_ROOT_PASSWORD: 'r', MYSQL_DATABASE: 'app' };
      const first = await start(environment, '--volume', `${volume}:/var/lib/mysql`);
      await logLine(first, 'port: 0');
      await docker('kill', first);

      const second = await start(environment, '--volume', `${volume}:/var/lib/mysql`);
      await serving(second);
      expect(await query(second, 'root', 'r', "SHOW DATABASES LIKE 'app'")).toBe('app');
    },
    60_000,
  );
});
