import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import {
  BerthRpcError,
  connect,
  DeployEnvRequest,
  EnvServiceService,
  ListEnvsRequest,
  operationEnd,
  OutputStream,
  type BerthClient,
  type Env,
  type EnvEvent,
} from '../../../clients/typescript/src/index.js';
import { isFull } from '../../run/extent.mjs';
import { tar } from '../../support/archives.js';
import { docker, ownedBy } from '../../support/docker-cli.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { heldByEnvs } from '../../support/env/held-on-host.js';

/** Connects, asks as HTTP and as gRPC would, and prints the targets that answered with anything at all. */
const KNOCK = `
import concurrent.futures, json, socket, sys
def knock(target):
    host, port = target
    for hello in (b'', b'GET / HTTP/1.0\\r\\n\\r\\n', b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0'):
        try: s = socket.create_connection((host, port), timeout=1)
        except OSError: return False
        with s:
            try:
                s.settimeout(1)
                s.sendall(hello)
                if s.recv(1): return True
            except OSError: pass
    return False
targets = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(json.dumps([t for t, answers in zip(targets, pool.map(knock, targets)) if answers]))
`;

const MYSQL_PORT = 3306;
const SERVER = `import http.server; http.server.ThreadingHTTPServer(('0.0.0.0', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()`;
const app = (metadata: object, files: Record<string, string> = {}) =>
  Object.entries({ 'metadata.json': JSON.stringify(metadata), ...files }).map(([path, text]) => ({
    path,
    content: Buffer.from(text),
    mode: 0,
  }));

let daemon: TestDaemon;
let hostile: BerthClient;
let victim: BerthClient;
let mine: Env;
let theirs: Env;

beforeAll(async () => {
  daemon = await startDaemon({
    env: {
      BERTH_POOL_POOLING: 'off',
      // As an operator might: reachable from everywhere.
      BERTH_GRPC_ADDRESS: '0.0.0.0:0',
      BERTH_HTTP_ADDRESS: '0.0.0.0:0',
      BERTH_ENV_PORT_FIRST: '17060',
      BERTH_ENV_PORT_LAST: '17070',
      BERTH_ENV_SUBNETS: '10.220.8.0/24',
      BERTH_ENV_STANDALONE_DATABASE_IMAGE: process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9',
      BERTH_ENV_STOP_GRACE_MS: '1000',
    },
    waitForPool: false,
  });
  const address = `127.0.0.1:${daemon.address.split(':').at(-1)}`;
  hostile = connect({ address, tenant: 'hostile' });
  victim = connect({ address, tenant: 'victim' });
  await victim.uploadApp(
    { appId: 'secret' },
    tar({ name: 'metadata.json', content: '{"runtimeType":"nginx"}' }, { name: 'index.html', content: 'x' }),
  );
  const database = isFull() ? { database: { provider: 'standalone' } } : {};
  const python = { runtimeType: 'python', containerPort: 8000, startCommand: 'python server.py' };
  [mine, theirs] = await Promise.all([
    deployed(hostile, { userId: 'mallory', appId: 'knocker', files: app(python, { 'server.py': SERVER }) }),
    deployed(victim, {
      userId: 'alice',
      appId: 'shop',
      files: app({ runtimeType: 'nginx', ...database }, { 'index.html': 'private' }),
    }),
  ]);
});

afterAll(async () => {
  if (mine) await ended(hostile.destroy(mine.envId));
  if (theirs) await ended(victim.destroy(theirs.envId));
  expect(await heldByEnvs(daemon)).toEqual({ docker: [], directories: [] });
  hostile.close();
  victim.close();
  expect(await daemon.stop()).toBe(0);
  expect(await ownedBy(daemon.owner)).toEqual([]);
  await daemon.dispose();
});

async function ended(events: AsyncIterable<EnvEvent>): Promise<Env> {
  let last: EnvEvent | undefined;
  for await (const event of events) last = event;
  const end = last && operationEnd(last);
  if (end?.$case !== 'succeeded') throw new Error(`it did not succeed: ${JSON.stringify(last)}`);
  return end.value.env!;
}

const deployed = (client: BerthClient, request: Parameters<BerthClient['deploy']>[0]): Promise<Env> =>
  ended(client.deploy(request));

type Target = [host: string, port: number];

/** Addresses of a container, and of the host's ends of its networks. */
async function addressesOf(container: string): Promise<{ own: string[]; gateways: string[] }> {
  const text = await docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', container);
  const networks = Object.values(JSON.parse(text) as Record<string, { IPAddress: string; Gateway: string }>);
  const filled = (values: string[]): string[] => values.filter((value) => value !== '');
  return {
    own: filled(networks.map(({ IPAddress }) => IPAddress)),
    gateways: filled(networks.map(({ Gateway }) => Gateway)),
  };
}

/**
 * Knocks from inside the hostile env, and once more at what answered. While Docker makes or removes a network, of whomever,
 * it takes its rules between networks away for moments; that is not tried here.
 * @returns the targets that answered both times
 */
async function reached(targets: readonly Target[]): Promise<Target[]> {
  return await knock(await knock(targets));
}

async function knock(targets: readonly Target[]): Promise<Target[]> {
  const out: Buffer[] = [];
  const argv = ['python', '-c', KNOCK, JSON.stringify(targets)];
  for await (const { event } of hostile.exec({ envId: mine.envId, argv })) {
    if (event?.$case === 'output' && event.value.stream === OutputStream.STDOUT) out.push(event.value.data);
  }
  return JSON.parse(Buffer.concat(out).toString()) as Target[];
}

onlyInFull(
  it,
  'from inside an env, no other env, no database of one, and no address of the host with berthd answers',
  async () => {
    const own = await addressesOf(mine.containerId);
    const other = await addressesOf(theirs.containerId);
    // Bridges of other networks come and go with them; the gateways stand for them.
    const ofHost = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      name.startsWith('br-')
        ? []
        : list!.filter(({ family }) => family === 'IPv4').map(({ address }) => address),
    );
    const hosts = new Set([...ofHost, ...own.gateways, ...other.gateways]);
    const ports = [daemon.address, daemon.httpAddress].map((address) => Number(address.split(':').at(-1)));
    const database = isFull() ? (await addressesOf(`${theirs.envId}-db`)).own : [];
    const targets: Target[] = [
      ...[...hosts].flatMap((host): Target[] => [...ports, theirs.port].map((port) => [host, port])),
      ...other.own.flatMap((host): Target[] => [80, 8000, theirs.port].map((port) => [host, port])),
      ...database.map((host): Target => [host, MYSQL_PORT]),
      [theirs.envId, 80],
    ];
    const itself: Target = [own.own[0]!, 8000];
    expect(await reached([...targets, itself])).toEqual([itself]);
    // What was knocked at is there: from the host it answers.
    expect(await (await fetch(theirs.url)).text()).toBe('private');
    expect((await fetch(`http://127.0.0.1:${ports[1]}/healthz`)).ok).toBe(true);
  },
);

describe("another tenant's env and app", () => {
  const GONE = 'env-0123456789ab';
  const drained = async (events: AsyncIterable<unknown>): Promise<unknown> => {
    for await (const event of events) return event;
    return undefined;
  };
  const base = DeployEnvRequest.fromPartial({ userId: 'alice' });
  const none = { requestId: '', readyTimeoutMs: 0 };

  /** Every method of EnvService that takes the name of something, called with one. */
  const BY_ENV: Record<string, (envId: string) => Promise<unknown>> = {
    stopEnv: (envId) => drained(hostile.env.stopEnv({ ...none, envId })),
    startEnv: (envId) => drained(hostile.env.startEnv({ ...none, envId })),
    resetEnv: (envId) => drained(hostile.env.resetEnv({ ...none, envId })),
    destroyEnv: (envId) => drained(hostile.env.destroyEnv({ ...none, envId })),
    watchEnv: (envId) => drained(hostile.env.watchEnv({ envId, afterSeq: 0, operationId: '' })),
    getEnv: (envId) => hostile.env.getEnv({ envId }),
    streamEnvLogs: (envId) => drained(hostile.envLogs({ envId })),
    execEnv: (envId) => drained(hostile.exec({ envId, argv: ['id'] })),
    extendEnv: (envId) => hostile.env.extendEnv({ envId, requestId: '', ttlMs: 0 }),
    explainEnv: (envId) => hostile.env.explainEnv({ envId }),
  };
  const BY_APP: Record<string, (appId: string) => Promise<unknown>> = {
    deployEnv: (appId) => drained(hostile.env.deployEnv({ ...base, appId })),
    getApp: (appId) => hostile.env.getApp({ appId }),
    deleteApp: (appId) => hostile.env.deleteApp({ appId, requestId: '' }),
  };
  /** Lists, an upload under the same id, and a dry run; see below. */
  const APART = ['listEnvs', 'listApps', 'uploadApp', 'renderApp'];
  /** They are about the daemon, not about a tenant, or are not built yet. */
  const OF_ALL = [
    'getSharedDatabase',
    'ensureSharedDatabase',
    'reconcileEnvs',
    'getUsage',
    'updateEnvNetwork',
  ];

  /** What a refusal tells, without the name that was asked for. */
  async function told(work: Promise<unknown>, name: string): Promise<string> {
    const error = await work.then(
      () => Promise.reject(new Error('it was answered')),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof BerthRpcError)) throw error;
    const { code, reason, message, metadata, violations } = error;
    return JSON.stringify({ code, reason, message, metadata, violations }).replaceAll(name, '<name>');
  }

  it('no method is forgotten here', () => {
    const known = [...Object.keys(BY_ENV), ...Object.keys(BY_APP), ...APART, ...OF_ALL];
    expect(known.sort()).toEqual(Object.keys(EnvServiceService).sort());
  });

  it.each(Object.keys(BY_ENV))('%s answers as for one that nobody has', async (method) => {
    const call = BY_ENV[method]!;
    const answer = await told(call(theirs.envId), theirs.envId);
    expect(answer).toBe(await told(call(GONE), GONE));
    expect(answer).toContain('ENV_NOT_FOUND');
  });

  it.each(Object.keys(BY_APP))('%s answers as for one that nobody has', async (method) => {
    const call = BY_APP[method]!;
    const answer = await told(call('secret'), 'secret');
    expect(answer).toBe(await told(call('no-such-app'), 'no-such-app'));
    expect(answer).toContain('APP_NOT_FOUND');
  });

  it('are in no list and no dry run, and an upload under the same id is the own one', async () => {
    const { envs } = await hostile.env.listEnvs(ListEnvsRequest.fromPartial({ userId: 'alice' }));
    expect(envs).toEqual([]);
    const own = await victim.env.listEnvs(ListEnvsRequest.fromPartial({ userId: 'alice' }));
    expect(own.envs.map(({ envId }) => envId)).toEqual([theirs.envId]);
    expect((await hostile.env.listApps()).apps).toEqual([]);
    expect(await told(hostile.env.renderApp({ deploy: { ...base, appId: 'secret' } }), 'secret')).toBe(
      await told(hostile.env.renderApp({ deploy: { ...base, appId: 'no-such-app' } }), 'no-such-app'),
    );
    const archive = tar({ name: 'metadata.json', content: '{"runtimeType":"nginx"}' });
    await hostile.uploadApp({ appId: 'secret' }, archive);
    expect((await victim.env.getApp({ appId: 'secret' })).files).toHaveLength(2);
    await hostile.env.deleteApp({ appId: 'secret', requestId: '' });
    expect((await victim.env.getApp({ appId: 'secret' })).files).toHaveLength(2);
  });

  it('is as it was', async () => {
    expect(await (await fetch(theirs.url)).text()).toBe('private');
  });
});
