import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { docker } from '../../support/docker-cli.js';
import { hostState } from '../../support/host-state.js';
import { berth, startBerth } from './berth.js';

const HELLO = resolve(import.meta.dirname, '../../../templates/apps/hello-node');
/** Of no row. */
const GONE = 'env-00000000dead';

let before: string[];
let daemon: TestDaemon;
let folder: string;

beforeAll(async () => {
  before = await hostState();
  daemon = await startDaemon({
    env: {
      BERTH_ENV_PORT_FIRST: '18700',
      BERTH_ENV_PORT_LAST: '18720',
      BERTH_ENV_SUBNETS: '10.216.0.0/22',
      BERTH_ENV_STOP_GRACE_MS: '2000',
    },
    waitForPool: false,
  });
  folder = await mkdtemp(join(tmpdir(), 'berth-cli-'));
});

afterAll(async () => {
  for (const { envId } of await envs()) await berth(daemon.address, ['rm', envId]);
  expect(await daemon.stop()).toBe(0);
  expect(await hostState(daemon.stateDir)).toEqual(before);
  await daemon.dispose();
  await rm(folder, { recursive: true });
});

interface ListedEnv {
  envId: string;
  appId: string;
  state: string;
  url?: string;
}

async function envs(...options: string[]): Promise<ListedEnv[]> {
  const { code, stdout, stderr } = await berth(daemon.address, ['ps', '--json', ...options]);
  if (code !== 0) throw new Error(`berth ps: ${stderr}${stdout.toString()}`);
  return (JSON.parse(stdout.toString()) as { envs: ListedEnv[] }).envs;
}

async function app(name: string, server: string): Promise<string> {
  const path = await mkdtemp(join(folder, `${name}-`));
  const metadata = { runtimeType: 'node', containerPort: 3000, startCommand: 'node server.js' };
  await writeFile(join(path, 'metadata.json'), JSON.stringify(metadata));
  await writeFile(join(path, 'server.js'), server);
  return path;
}

test('deploy, ps, logs, stop, start and rm', async () => {
  const deployed = await berth(daemon.address, ['deploy', '--user', 'alice', HELLO]);
  expect([deployed.code, deployed.stderr]).toEqual([0, '']);
  const lines = deployed.stdout.toString().trimEnd().split('\n');
  expect(lines[0]).toMatch(/^deploying env-[0-9a-f]{12}$/);
  expect(lines.slice(1, -1).every((line) => /^\d+\/\d+ \w+ ok in /.test(line))).toBe(true);
  const [, envId = '', url = ''] = /^(env-[0-9a-f]{12}) is up at (http:\S+)/.exec(lines.at(-1) ?? '') ?? [];
  expect((await fetch(url)).ok).toBe(true);

  const again = await berth(daemon.address, ['deploy', '--user', 'alice', HELLO]);
  expect(again.stdout.toString()).toContain(`${envId} is up already at ${url}`);

  const table = (await berth(daemon.address, ['ps'])).stdout.toString();
  expect(table).toMatch(new RegExp(`^${envId} +hello-node +alice +default +running`, 'm'));
  expect(await envs('--user', 'bob')).toEqual([]);

  const prefix = envId.slice(0, 8);
  expect((await berth(daemon.address, ['logs', '--tail', '50', prefix])).stdout.toString()).toContain(
    'listening',
  );

  const follower = startBerth(daemon.address, ['logs', '-f', envId]);
  await follower.wrote('listening');
  await fetch(`${url}/seen-by-the-follower`);
  follower.process.kill('SIGINT');
  expect((await follower.ended).code).toBe(130);

  expect((await berth(daemon.address, ['stop', prefix])).stdout.toString()).toContain(`${envId} is stopped`);
  expect(await envs()).toMatchObject([{ envId, state: 'ENV_STATE_STOPPED' }]);
  expect((await berth(daemon.address, ['start', prefix])).stdout.toString()).toContain(
    `${envId} was started at ${url}`,
  );
  expect((await fetch(url)).ok).toBe(true);
  const removed = await berth(daemon.address, ['rm', prefix]);
  expect([removed.code, removed.stdout.toString()]).toEqual([0, expect.stringContaining(`${envId} is gone`)]);
  expect(await envs()).toEqual([]);
  expect(await envs('--all')).toMatchObject([{ envId, state: 'ENV_STATE_DESTROYED' }]);
});

test('a deployment that fails names step, reason and log lines', async () => {
  const path = await app('bad', 'console.log("starting"); console.error("no database"); process.exit(3);');
  const { code, stdout } = await berth(daemon.address, ['deploy', '--app-id', 'bad', path]);
  expect(code).toBe(1);
  expect(stdout.toString()).toMatch(/: step \w+ failed \(APP_EXITED\)/);
  expect(stdout.toString()).toMatch(/last log lines:\n(.*\n)*.*no database/);
});

test('bad input is named before anything is touched', async () => {
  const before = await envs();
  const bad = await berth(daemon.address, ['deploy', '--user', '../etc', HELLO]);
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/user_id: /)]);
  const missing = await berth(daemon.address, ['deploy', '--app', 'no-such-app']);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/APP_NOT_FOUND/)]);
  const gone = await berth(daemon.address, ['rm', 'env-000000000000']);
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringMatching(/ENV_NOT_FOUND/)]);
  expect(await envs()).toEqual(before);
});

test('a daemon that is killed during a deployment ends its story after its next start', async () => {
  const path = await app('slow', 'setTimeout(() => {}, 1e6); console.log("not listening");');
  const running = startBerth(daemon.address, ['deploy', '--json', '--app-id', 'slow', path]);
  await running.wrote('"stepStarted":{"step":"wait_ready"');
  await daemon.kill();
  daemon = await daemon.restart({ BERTH_GRPC_ADDRESS: daemon.address });

  const { code, stdout } = await running.ended;

  const events = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number; failed?: object; succeeded?: object });
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const end = events.at(-1);
  expect(code).toBe(end?.succeeded === undefined ? 1 : 0);
  expect(end?.succeeded ?? end?.failed).toBeDefined();
});

const run = async (...args: string[]) => {
  const { code, stdout, stderr } = await berth(daemon.address, args);
  return { code, lines: stdout.toString().trimEnd().split('\n'), stderr };
};

/** What a crash or a person may leave of an env that no row knows. */
async function makeStrays(of: string): Promise<string> {
  const labels = {
    'dev.berth.owner': daemon.owner,
    'dev.berth.kind': 'env',
    'dev.berth.env': GONE,
    'com.docker.compose.project': GONE,
  };
  const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  await docker('network', 'create', '--subnet', '10.216.3.240/28', ...flags, `${GONE}-net`);
  await docker('volume', 'create', ...flags, `${GONE}_data`);
  const image = await docker('inspect', '--format', '{{.Config.Image}}', of);
  const uses = ['--network', `${GONE}-net`, '--volume', `${GONE}_data:/data`];
  await docker('run', '-d', ...flags, ...uses, '--name', GONE, image, 'sleep', '600');
  const base = join(daemon.stateDir, 'envs/default/carol/default');
  const directory = join(base, 'stray');
  await cp(join(base, 'kept'), directory, { recursive: true });
  const marker = join(directory, '.berth-env.json');
  await writeFile(marker, (await readFile(marker, 'utf8')).replace(of, GONE));
  return directory;
}

onlyInFull(
  test,
  'doctor --reconcile tells strays and rows whose container is gone, and mends them only with --apply',
  async () => {
    for (const id of ['kept', 'lost'])
      expect((await run('deploy', '--user', 'carol', '--app-id', id, HELLO)).code).toBe(0);
    const all = await envs('--user', 'carol');
    const [ofKept, ofLost] = ['kept', 'lost'].map((id) => all.find(({ appId }) => appId === id));
    expect(await run('doctor', '--reconcile')).toMatchObject({
      code: 0,
      lines: ['everything is as the rows say'],
    });

    const directory = await makeStrays(ofKept!.envId);
    await docker('rm', '-f', ofLost!.envId);
    const found = [
      `stray       container ${GONE} of ${GONE}`,
      `stray       network ${GONE}-net of ${GONE}`,
      `stray       volume ${GONE}_data of ${GONE}`,
      `stray       directory ${directory} of ${GONE}`,
    ];
    const dry = await run('doctor', '--reconcile');
    expect(dry.lines).toEqual(expect.arrayContaining(found) as string[]);
    expect(dry.lines.filter((line) => line.startsWith('stray'))).toHaveLength(found.length);
    expect(dry.lines.at(-1)).toMatch(/^a dry run: nothing was changed/);
    expect(await docker('inspect', '--format', '{{.State.Running}}', GONE)).toBe('true');
    await stat(directory);

    const applied = await run('doctor', '--reconcile', '--apply');
    expect([applied.code, applied.lines.at(-1)]).toEqual([0, expect.stringMatching(/^4 removed, /)]);
    expect((await hostState(daemon.stateDir)).filter((thing) => /dead|stray/.test(thing))).toEqual([]);
    expect((await fetch(ofKept!.url!)).ok).toBe(true);
    expect((await run('doctor', '--reconcile')).lines).toEqual(['everything is as the rows say']);
    const shown = await run('explain', ofLost!.envId);
    expect(shown.lines.join('\n')).toMatch(/broken[^]*blocked +ENV_STATE: container .* is gone/);
    for (const env of [ofKept!, ofLost!]) expect((await run('rm', env.envId)).code).toBe(0);
    expect((await run('rm', ofKept!.envId)).lines.at(-1)).toContain('is gone already');
  },
);
