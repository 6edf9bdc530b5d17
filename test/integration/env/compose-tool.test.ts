import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCompose } from '#dist/src/domain/env/compose/check.js';
import { onlyInFull } from '../../run/extent.mjs';
import type { Env } from '../../../src/domain/env/model.js';
import { compose, hasCompose } from '../../support/compose.js';
import { docker } from '../../support/docker-cli.js';
import { appFiles, type EnvWorld, inEnvWorld } from './env-world.js';

const ENV_ID = 'env-0123456789ab';
const LEAST = {
  image: 'node:20-slim',
  networks: { env: {} },
  mem_limit: '512m',
  memswap_limit: '512m',
  cpus: 0.5,
  pids_limit: 512,
  cap_drop: ['ALL'],
  security_opt: ['no-new-privileges:true'],
  restart: 'unless-stopped',
  stop_grace_period: '10s',
  logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
};
const check = (more: object) => ({
  healthcheck: { test: ['CMD', 'true'], interval: '1500ms', timeout: '5s', retries: 3, ...more },
});
/** What each service has besides the least that Berth applies; whatever of the subset changes the hash is among them. */
const SERVICES: Record<string, object> = {
  app: {},
  lists: { command: ['a', 'b c', '<&>', 'é \u2028 😀', '"\\', '\t\n', '\u007f'], entrypoint: ['x'] },
  nothing: { command: [], entrypoint: [], environment: {}, labels: {}, ports: [], cap_add: [], tmpfs: [] },
  variables: {
    environment: { B: '$$HOME', A: '', Z9: '1', '10': 'ten', '9': 'nine', Ａ: 'wide', '😀': 'x' },
  },
  check: check({}),
  'check-start': check({ start_period: '0s' }),
  'check-long': check({ start_period: '1h2m3.5s', interval: '90s', timeout: '250ms' }),
  'check-none': check({ test: ['NONE'] }),
  ports: { ports: ['127.0.0.1:18000:3000', '[::1]:18001:53/udp'] },
  mounts: {
    volumes: [
      { type: 'bind', source: `/envs/e`, target: '/app', read_only: true },
      { type: 'volume', source: 'data', target: '/data', read_only: false },
    ],
  },
  flags: { init: true, tty: true, stdin_open: true, read_only: true },
  unset: { init: false, tty: false, stdin_open: false, read_only: false },
  limits: { cpus: 0.1, mem_limit: '1048577b', memswap_limit: '1048577b', pids_limit: 1 },
  cpus: { cpus: 1 },
  'more-cpus': { cpus: 1.234567 },
  user: { user: '1000:1000', working_dir: '/app', cap_add: ['CHOWN', 'KILL'], tmpfs: ['/tmp:size=1m'] },
  labels: { labels: { 'dev.berth.x': 'a "b" <c>', '1': 'one' } },
  aliases: { networks: { env: { aliases: ['db', 'mysql'] } } },
  waits: { depends_on: { app: { condition: 'service_started' } } },
  'stop-minutes': { stop_grace_period: '2m0s', restart: 'no' },
};

it.runIf(hasCompose)('a service of a compose file has the hash that docker compose gives it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-compose-hash-'));
  const file = join(directory, 'docker-compose.yml');
  const services = Object.entries(SERVICES).map(([name, more]) => [
    name,
    { ...LEAST, container_name: name === 'app' ? ENV_ID : `${ENV_ID}-${name}`, ...more },
  ]);
  // As the template writes it: what is a line end for YAML, or does not print, is escaped.
  const text = JSON.stringify({
    name: ENV_ID,
    services: Object.fromEntries(services) as object,
    networks: { env: { name: `${ENV_ID}-net` } },
    volumes: { data: { name: `${ENV_ID}_data` } },
  })
    .replaceAll('\u007f', '\\u007f')
    .replaceAll('\u2028', '\\u2028');
  try {
    await writeFile(file, text);
    const project = readCompose(text, file, { envId: ENV_ID, mountable: ['/envs/e'] });
    const ours = Object.fromEntries(project.services.map(({ name, configHash }) => [name, configHash]));
    const told = await compose('-f', file, 'config', '--hash', '*');
    const theirs = Object.fromEntries(told.split('\n').map((line) => line.split(' '))) as object;
    expect(ours).toEqual(theirs);
  } finally {
    await rm(directory, { recursive: true });
  }
});

describe.runIf(hasCompose)('the project of an env', () => {
  let world: EnvWorld;
  inEnvWorld((opened) => (world = opened));

  const SERVER = `
    console.log(process.env.WORDS);
    require('http').createServer((q, r) => r.end(process.env.DB_HOST)).listen(process.env.PORT);
    process.on('SIGTERM', () => process.exit(0));`;

  function inProjectOf(env: Env): (...args: string[]) => Promise<string> {
    return (...args) => compose('-f', `${env.directory}/docker-compose.yml`, '-p', env.id, ...args);
  }

  /** Its containers, by `docker compose ps`: "app running", "db running". */
  async function states(env: Env): Promise<string[]> {
    const listed = await inProjectOf(env)('ps', '--all', '--format', '{{.Service}} {{.State}}');
    return listed.split('\n').sort();
  }

  const ids = async (env: Env) =>
    (await docker('ps', '-aq', '--no-trunc', '--filter', `label=com.docker.compose.project=${env.id}`))
      .split('\n')
      .sort();

  /** What the tool takes away is noticed, and can be destroyed. */
  async function taken(env: Env): Promise<void> {
    await inProjectOf(env)('down', '-v');
    expect(await docker('volume', 'ls', '-q', '--filter', `name=${env.id}`)).toBe('');
    expect(await docker('network', 'ls', '-q', '--filter', `name=${env.id}`)).toBe('');
    expect((await world.operations.reconcile({ dryRun: false })).incomplete).toMatchObject([
      { envId: env.id },
    ]);
    expect((await world.operations.get('default', env.id)).state).toBe('broken');
  }

  it('is one that docker compose understands, and does not change', async () => {
    const metadata = { runtimeType: 'node', startCommand: 'echo "$WORDS"; exec node server.js' };
    const environment = { WORDS: 'a $x ${HOME} "q" <&> \u65e5\u672c \u{1f600}' };
    const files = appFiles(metadata, { 'server.js': SERVER });
    const { env } = await world.deploy('compose', files, { environment });
    const inProject = inProjectOf(env);
    expect(await inProject('ps', '-q')).toBe(env.containerIds[0]);
    expect(await inProject('logs')).toContain(environment.WORDS);
    await inProject('up', '--detach');
    await inProject('stop');
    await inProject('start');
    expect(await ids(env)).toEqual(env.containerIds);
    await taken(env);
  });

  onlyInFull(
    it,
    'with a database of its own is the same to docker compose',
    async () => {
      const metadata = {
        runtimeType: 'node',
        database: { provider: 'standalone', name: "it's `own` 100%_" },
      };
      const sql = "CREATE TABLE t (a VARCHAR(9)); INSERT INTO t VALUES ('kept');";
      const files = appFiles(metadata, { 'server.js': SERVER, 'init.sql': sql });
      const { env } = await world.deploy('compose-db', files);
      const inProject = inProjectOf(env);
      const rows = () =>
        inProject(
          ...['exec', '-T', 'db', 'sh', '-c'],
          'MYSQL_PWD=$MYSQL_PASSWORD mysql -h127.0.0.1 -uapp -N "$1" -e "SELECT a FROM t"',
          ...['sh', metadata.database.name],
        );
      const all = ['app running', 'db running'];
      expect(await states(env)).toEqual(all);
      expect(await inProject('logs', 'db')).toContain('ready for connections');
      expect(await inProject('exec', '-T', 'app', 'printenv', 'DB_NAME')).toBe(metadata.database.name);
      expect(await rows()).toBe('kept');
      const before = await ids(env);
      await inProject('up', '--detach');
      await inProject('stop');
      expect(await states(env)).toEqual(['app exited', 'db exited']);
      await inProject('start');
      expect(await states(env)).toEqual(all);
      await inProject('stop');
      await inProject('up', '--detach');
      expect(await ids(env)).toEqual(before);
      expect(await rows()).toBe('kept');
      const answer = async () => (await fetch(env.url)).text();
      await expect.poll(() => answer().catch(() => ''), { timeout: 20_000 }).toBe('db');
      await taken(env);
    },
    180_000,
  );
});
