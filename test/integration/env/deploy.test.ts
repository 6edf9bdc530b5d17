import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import { Death } from '../../support/env/dying-store.js';
import { named } from '../../support/env/env-harness.js';
import { docker } from '../../support/docker-cli.js';
import { type EnvWorld, appFiles, logRequest, inEnvWorld } from './env-world.js';

const NODE_SERVER = `
require('http').createServer((request, response) => {
  console.log('request', request.url);
  response.end(JSON.stringify({ hello: 'node', env: process.env.APP_PORT + '/' + process.env.CONTAINER_PORT }));
}).listen(process.env.PORT, '0.0.0.0', () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
`;
const NODE = appFiles({ runtimeType: 'node' }, { 'server.js': NODE_SERVER });

const PYTHON_SERVER = `
import os, http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'hello python'
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(('0.0.0.0', int(os.environ['PORT'])), Hello).serve_forever()
`;
const PYTHON = appFiles({ runtimeType: 'python', containerPort: 8000 }, { 'app.py': PYTHON_SERVER });

let world: EnvWorld;
inEnvWorld((opened) => (world = opened));

describe('a deployment in Docker', () => {
  it('of a node app answers at its URL with its variables, hardened and limited', async () => {
    const { env, last, events } = await world.deploy('hello-node', NODE);
    expect(last).toMatchObject({ type: 'succeeded', outcome: 'deployed' });
    expect(await (await fetch(env.url)).json()).toEqual({ hello: 'node', env: `${env.port}/3000` });
    const [inspected] = JSON.parse(await docker('inspect', env.id)) as [Inspected];
    expect(inspected.HostConfig).toMatchObject({
      Memory: 134_217_728,
      MemorySwap: 134_217_728,
      NanoCpus: 500_000_000,
      PidsLimit: 64,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      RestartPolicy: { Name: 'unless-stopped' },
    });
    expect(inspected.Config.Labels).toMatchObject({
      'com.docker.compose.project': env.id,
      'com.docker.compose.service': 'app',
      'dev.berth.owner': world.owner,
    });
    expect(inspected.Mounts).toEqual([expect.objectContaining({ Destination: '/app', RW: false })]);
    expect(events.filter((event) => event.body.type === 'step_completed').length).toBe(11);
  });

  it('of a python web app answers; a CLI waits at its terminal', async () => {
    const web = await world.deploy('hello-python', PYTHON);
    expect(await (await fetch(web.env.url)).text()).toBe('hello python');
    const cli = await world.deploy(
      'game',
      appFiles({ runtimeType: 'python' }, { 'main.py': "input('your move? ')" }),
    );
    expect(cli.last).toMatchObject({ type: 'succeeded', state: 'running' });
    expect(cli.env.url).toBe('');
    const [inspected] = JSON.parse(await docker('inspect', cli.env.id)) as [Inspected];
    expect(inspected.Config).toMatchObject({ Tty: true, OpenStdin: true });
  });

  it.each([
    ['node', NODE],
    ['python', PYTHON],
  ])('has a health check for %s that its slim image can run', async (name, files) => {
    const { env } = await world.deploy(`health-${name}`, files);
    const [{ Config }] = JSON.parse(await docker('inspect', env.id)) as [Inspected];
    const [kind, ...command] = Config.Healthcheck?.Test ?? [];
    expect(kind).toBe('CMD');
    await docker('exec', env.id, ...command);
    const closed = command.map((part) => part.replace(/:\d+\//, ':1/'));
    await expect(docker('exec', env.id, ...closed)).rejects.toThrow();
  });

  it('is returned as it is, replaced under its port, and keeps what it wrote', async () => {
    const counter = `
      const fs = require('fs');
      const n = fs.existsSync('/data/n') ? Number(fs.readFileSync('/data/n')) + 1 : 1;
      fs.writeFileSync('/data/n', String(n));
      require('http').createServer((_, response) => response.end(String(n))).listen(process.env.PORT);
    `;
    const metadata = { runtimeType: 'node', volumes: [{ containerPath: '/data' }] };
    const first = await world.deploy('counter', appFiles(metadata, { 'server.js': counter }));
    expect(await (await fetch(first.env.url)).text()).toBe('1');
    const same = await world.deploy('counter', appFiles(metadata, { 'server.js': counter }));
    expect(same.last).toMatchObject({ outcome: 'already_running' });
    const second = await world.deploy('counter', appFiles(metadata, { 'server.js': `${counter}// v2` }));
    expect(second.last).toMatchObject({ outcome: 'replaced' });
    expect(second.env).toMatchObject({ id: first.env.id, url: first.env.url });
    expect(await (await fetch(second.env.url)).text()).toBe('2');
    const network = await docker('network', 'inspect', '-f', '{{.Id}}', `${first.env.id}-net`);
    await docker('rm', '-f', first.env.id);
    const reset = await world.run('reset', first.env.id);
    expect(reset.last).toMatchObject({
      type: 'succeeded',
      removed: [{ kind: 'volume', name: `${first.env.id}_data` }],
    });
    expect(await (await fetch(second.env.url)).text()).toBe('1');
    expect(await docker('network', 'inspect', '-f', '{{.Id}}', `${first.env.id}-net`)).toBe(network);
  });

  it('waits for a health check that the app brings', async () => {
    const slow = `
      const fs = require('fs');
      require('http').createServer((_, response) => response.end('up')).listen(process.env.PORT);
      setTimeout(() => fs.writeFileSync('/tmp/ready', ''), 1500);
    `;
    const healthCheck = { test: ['CMD', 'test', '-f', '/tmp/ready'], intervalMs: 500, retries: 20 };
    const { last, env } = await world.deploy(
      'slow',
      appFiles({ runtimeType: 'node', healthCheck }, { 'server.js': slow }),
    );
    expect(last).toMatchObject({ type: 'succeeded' });
    await docker('exec', env.id, 'test', '-f', '/tmp/ready');
  });

  it('stops, starts with its containers and data, and is destroyed', async () => {
    const { env } = await world.deploy('life', NODE);
    expect((await world.run('stop', env.id)).last).toMatchObject({ state: 'stopped' });
    await expect(fetch(env.url)).rejects.toThrow();
    const started = await world.run('start', env.id);
    expect(started.last).toMatchObject({ state: 'running' });
    expect(started.env.containerIds).toEqual(env.containerIds);
    expect((await fetch(env.url)).status).toBe(200);
    await docker('rm', '-f', env.id);
    await world.run('stop', env.id);
    await expect(world.run('start', env.id)).rejects.toMatchObject({ reason: 'ENV_CONTAINER_MISSING' });
    expect((await world.run('destroy', env.id)).last).toMatchObject({ state: 'destroyed' });
    await world.expectNothingLeft();
  });

  onlyInFull(it, 'of many apps at once gives each a port and a network of its own', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => world.deploy(`many-${n}`, NODE)));
    expect(all.map((one) => one.last.type)).toEqual(Array(8).fill('succeeded'));
    expect(new Set(all.map((one) => one.env.port)).size).toBe(8);
    const answers = await Promise.all(all.map(async ({ env }) => (await fetch(env.url)).status));
    expect(answers).toEqual(Array(8).fill(200));
    await Promise.all(all.map((one) => world.run('destroy', one.env.id)));
    await world.expectNothingLeft();
  });

  it('has logs, also while it runs on', async () => {
    const { env } = await world.deploy('logs', NODE);
    const lines: string[] = [];
    const controller = new AbortController();
    const logs = world.operations.logs(logRequest(env.id, { follow: true }), controller.signal);
    await fetch(`${env.url}/first`);
    for await (const { entry } of logs) {
      if (entry.kind === 'line') lines.push(Buffer.from(entry.chunk.data).toString());
      if (lines.includes('request /first\n')) break;
    }
    controller.abort();
    expect(lines[0]).toBe('listening\n');
  });
});

describe('a deployment in Docker that fails', () => {
  it.each([
    [
      'an image that is not here',
      { baseImage: 'berth-test/nowhere:1' },
      'process',
      'IMAGE_NOT_FOUND',
      'check_image',
    ],
    [
      'an app that exits at once',
      {},
      "console.error('no config'); process.exit(3)",
      'APP_EXITED',
      'wait_ready',
    ],
    ['a program that is not there', { startCommand: ['nosuch'] }, 'nosuch', 'APP_EXITED', 'wait_ready'],
    [
      'an app that never listens',
      { readyTimeoutMs: 1_500 },
      "console.log('thinking'); setInterval(() => {}, 1000)",
      'APP_NOT_READY',
      'wait_ready',
    ],
    [
      'an app that answers 500',
      { readyTimeoutMs: 1_500 },
      "require('http').createServer((_, r) => { r.statusCode = 500; r.end() }).listen(process.env.PORT)",
      'APP_NOT_READY',
      'wait_ready',
    ],
    [
      'an app that never becomes healthy',
      { readyTimeoutMs: 10_000, healthCheck: { test: ['CMD', 'false'], intervalMs: 300, retries: 2 } },
      "require('http').createServer((_, r) => r.end()).listen(process.env.PORT)",
      'APP_NOT_READY',
      'wait_ready',
    ],
  ])('for %s leaves nothing and says why', async (_, metadata, code, reason, step) => {
    const app = appFiles({ runtimeType: 'node', ...metadata }, { 'server.js': code });
    const { last, env, events } = await world.deploy('failing', app);
    expect(last).toMatchObject({ type: 'failed', error: { reason, step, undoErrors: [] } });
    expect(env.state).toBe('failed');
    expect(named(events, 'undo_failed')).toEqual([]);
    if (last.type === 'failed' && code.includes('no config')) {
      expect(last.error.logTail).toContain('no config');
      expect(last.error.message).toContain('code 3');
    }
    if (last.type === 'failed' && code === 'nosuch') expect(last.error.logTail.join()).toContain('nosuch');
    await world.expectNothingLeft();
  });

  it('finds that its memory limit killed it', async () => {
    const hungry = 'const a = []; for (;;) a.push(Buffer.alloc(16 * 1024 * 1024, 1))';
    const { last } = await world.deploy('hungry', appFiles({ runtimeType: 'node' }, { 'server.js': hungry }));
    expect(last).toMatchObject({ type: 'failed', error: { reason: 'APP_EXITED' } });
    if (last.type === 'failed') expect(last.error.message).toMatch(/memory limit|code 137/);
  });

  it('takes the next port when a thief has the first, also one that comes after the claim', async () => {
    const early = createServer().listen(world.config.portFirst, '127.0.0.1');
    await once(early, 'listening');
    const late = createServer();
    const handle = await world.operations.deploy(world.request('robbed', NODE));
    for await (const event of world.operations.follow(handle, AbortSignal.timeout(240_000))) {
      if (event.body.type === 'step_completed' && event.body.step === 'claim_port') break;
    }
    late.listen(world.config.portFirst + 1, '127.0.0.1');
    const { last, env, events } = await world.finish(handle);
    early.close();
    late.close();
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(env.port).toBe(world.config.portFirst + 2);
    expect(named(events, 'step_failed')).toEqual(['start_containers']);
    expect((await fetch(env.url)).status).toBe(200);
  });

  it('takes the next subnet when somebody has the first', async () => {
    const network = `${world.owner}-foreign`;
    await docker('network', 'create', '--subnet', '10.214.128.0/28', network);
    const { last, env } = await world.deploy('crowded', NODE);
    await docker('network', 'rm', network);
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(env.port).toBe(world.config.portFirst + 1);
  });

  it('is cancelled by a destroy while it waits', async () => {
    const app = appFiles({ runtimeType: 'node' }, { 'server.js': 'setInterval(() => {}, 1000)' });
    const handle = await world.operations.deploy(world.request('waiting', app));
    for await (const event of world.operations.follow(handle, AbortSignal.timeout(240_000))) {
      if (event.body.type === 'step_started' && event.body.step === 'wait_ready') break;
    }
    expect((await world.run('destroy', handle.env.id)).last).toMatchObject({ state: 'destroyed' });
    expect((await world.finish(handle)).last).toMatchObject({ type: 'cancelled' });
    await world.expectNothingLeft();
  });
});

describe('recovery in Docker', () => {
  it.each([3, 5, 7, 9, 10, 11, 12])('undoes or finishes a deployment cut off at commit %i', async (at) => {
    const death = new Death(at, 'before');
    const dying = world.restart(death.over(world.store.envs));
    await dying.deploy(world.request('cut', NODE));
    await dying.close(30_000);
    expect(death.dead).toBe(true);
    const recovered = world.restart();
    const report = await recovered.recover();
    expect(report.ended.length).toBe(1);
    const [env] = (
      await world.store.envs.list({ tenant: 'default', appId: 'cut', includeEnded: true }, 1, '')
    ).items;
    expect(report.ended[0]).toMatchObject({ envId: env?.id });
    if (env?.state === 'running') expect((await fetch(env.url)).status).toBe(200);
    else await world.expectNothingLeft();
    const found = await recovered.reconcile({ dryRun: true });
    expect(found).toEqual({
      things: [],
      ports: [],
      directories: [],
      databases: [],
      incomplete: [],
      errors: [],
    });
  });

  it('finishes a stop and a destroy that were cut off', async () => {
    const { env } = await world.deploy('finished', NODE);
    for (const [kind, state] of [
      ['stop', 'stopped'],
      ['destroy', 'destroyed'],
    ] as const) {
      const death = new Death(3, 'before');
      const dying = world.restart(death.over(world.store.envs));
      await dying[kind]({ tenant: 'default', envId: env.id, requestId: '' });
      await dying.close(30_000);
      expect((await world.restart().recover()).ended).toMatchObject([{ envId: env.id, state: 'succeeded' }]);
      expect((await world.operations.get('default', env.id)).state).toBe(state);
    }
  });

  it('removes strays of its own and nobody else', async () => {
    const labels = ['--label', `dev.berth.owner=${world.owner}`, '--label', 'dev.berth.kind=env'];
    const stray = [
      '--label',
      'dev.berth.env=env-00000000dead',
      '--label',
      'com.docker.compose.project=env-00000000dead',
    ];
    await docker('volume', 'create', ...labels, ...stray, `${world.owner}-stray`);
    await docker('volume', 'create', '--label', 'dev.berth.kind=env', ...stray, `${world.owner}-foreign`);
    const dry = await world.operations.reconcile({ dryRun: true });
    expect(dry.things.map((thing) => thing.name)).toEqual([`${world.owner}-stray`]);
    await world.operations.reconcile({ dryRun: false });
    expect(await docker('volume', 'ls', '-q', '--filter', `name=${world.owner}`)).toBe(
      `${world.owner}-foreign`,
    );
    await docker('volume', 'rm', `${world.owner}-foreign`);
  });
});

interface Inspected {
  HostConfig: Record<string, unknown>;
  Config: { Labels: Record<string, string>; Healthcheck?: { Test: string[] } };
  Mounts: object[];
}
