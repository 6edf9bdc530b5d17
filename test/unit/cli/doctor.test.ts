import { expect, test } from 'vitest';
import { CommandLine } from '../../../src/cli/command.js';
import { doctorCommand } from '../../../src/cli/commands/doctor.js';
import type { CheckResult } from '../../../src/cli/doctor/check.js';
import { CHECKS } from '../../../src/cli/doctor/checks/index.js';
import type { DaemonAnswer, DockerAnswer, HostView } from '../../../src/cli/doctor/host-view.js';
import { loadConfig } from '../../../src/config/load.js';
import { FakeIo } from './fake-io.js';

const GIB_KB = 1024 * 1024;
const INFO = {
  DockerRootDir: '/var/lib/docker',
  DefaultRuntime: 'runc',
  Runtimes: { crun: {}, runc: {}, runsc: {} },
};

const ROUTES = [
  'Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT',
  'eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0',
  'eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0',
].join('\n');

/** A host with everything; a test takes something away. */
class FakeHost implements HostView {
  platform = 'linux';
  nodeVersion = '20.12.0';
  kernelRelease = '6.12.1-amd64';
  config = loadConfig({});
  configProblems: string[] = [];
  daemonAddress = '127.0.0.1:50051';
  files: Record<string, string> = {
    '/proc/meminfo': `MemTotal:       ${4 * GIB_KB} kB\nMemAvailable:   ${3 * GIB_KB} kB\n`,
    '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids',
    '/sys/fs/cgroup/memory.max': 'max\n',
    '/proc/net/tcp': 'sl local_address rem_address st\n',
    '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
    '/proc/net/route': ROUTES,
  };
  free: Record<string, number> = { '/var/lib/docker': 50e9, '/var/lib/berth': 50e9 };
  programs: Record<string, { code: number; output: string }> = {
    'bwrap --version': { code: 0, output: 'bubblewrap 0.8.0\n' },
    'bwrap --ro-bind / / --unshare-all true': { code: 0, output: '' },
    '/usr/bin/python3 --version': { code: 0, output: 'Python 3.11.2\n' },
  };
  dockerAnswers: Record<string, DockerAnswer> = {
    '/version': answer({ Version: '20.10.24+dfsg1', ApiVersion: '1.41' }),
    '/info': answer(INFO),
    '/networks': answer([{ Name: 'bridge', Labels: {}, IPAM: { Config: [{ Subnet: '172.17.0.0/16' }] } }]),
    '/images/berth/sandbox-python:3.11/json': answer({}),
  };
  daemon: DaemonAnswer = { kind: 'serves', readySandboxes: 3, troubles: [] };

  readText = async (path: string): Promise<string | undefined> => this.files[path];
  freeBytes = async (path: string): Promise<number | undefined> => this.free[path];
  run = async (argv: readonly string[]): Promise<{ code: number; output: string } | undefined> =>
    this.programs[argv.join(' ')];
  docker = async (path: string): Promise<DockerAnswer> => {
    const found = this.dockerAnswers[path];
    if (found === undefined) throw new Error(`nobody expected a request for ${path}`);
    return found;
  };
  askDaemon = async (): Promise<DaemonAnswer> => this.daemon;

  /** Docker is not there. */
  withoutDocker(code: string): void {
    const gone: DockerAnswer = { kind: 'unreachable', code, message: code };
    for (const path of Object.keys(this.dockerAnswers)) this.dockerAnswers[path] = gone;
  }
}

function answer(body: unknown, httpStatus = 200): DockerAnswer {
  return { kind: 'answer', httpStatus, body };
}

function listening(...ports: number[]): string {
  const rows = ports.map(
    (port) => `0: 0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`,
  );
  return ['sl local_address rem_address st', ...rows].join('\n');
}

async function look(name: string, change: (host: FakeHost) => void = () => {}): Promise<CheckResult> {
  const host = new FakeHost();
  change(host);
  const check = CHECKS.find((one) => one.name === name);
  if (check === undefined) throw new Error(`there is no check ${name}`);
  return check.look(host);
}

test.each(CHECKS.map(({ name }) => name))('%s is ok on a host that has everything', async (name) => {
  expect(await look(name)).toMatchObject({ status: 'ok' });
});

const TROUBLES: [string, string, (host: FakeHost) => void, 'warn' | 'fail', RegExp, RegExp][] = [
  ['operating system', 'not Linux', (h) => (h.platform = 'darwin'), 'fail', /darwin/, /Linux only/],
  ['operating system', 'an old kernel', (h) => (h.kernelRelease = '3.10.0'), 'warn', /3\.10/, /4\.19/],
  ['Node', 'too old', (h) => (h.nodeVersion = '20.11.9'), 'fail', /20\.11\.9/, /20\.12/],
  [
    'configuration',
    'an unknown key',
    (h) => (h.configProblems = ['BERTH_X: no such key']),
    'fail',
    /BERTH_X/,
    /Correct/,
  ],
  [
    'Docker Engine',
    'not installed',
    (h) => h.withoutDocker('ENOENT'),
    'fail',
    /not installed/,
    /apt-get install docker\.io/,
  ],
  [
    'Docker Engine',
    'not running',
    (h) => h.withoutDocker('ECONNREFUSED'),
    'fail',
    /not running/,
    /systemctl start docker/,
  ],
  [
    'Docker Engine',
    'no permission',
    (h) => h.withoutDocker('EACCES'),
    'fail',
    /permission/,
    /usermod -aG docker/,
  ],
  ['Docker Engine', 'hangs', (h) => h.withoutDocker('ETIMEDOUT'), 'fail', /does not answer/, /journalctl/],
  [
    'Docker Engine',
    'another error',
    (h) => h.withoutDocker('EHOSTUNREACH'),
    'fail',
    /EHOSTUNREACH/,
    /BERTH_DOCKER_HOST/,
  ],
  [
    'Docker Engine',
    'too old',
    (h) => (h.dockerAnswers['/version'] = answer({ Version: '19.03.15', ApiVersion: '1.40' })),
    'fail',
    /19\.03/,
    /20\.10/,
  ],
  [
    'Docker Engine',
    'something else',
    (h) => (h.dockerAnswers['/version'] = answer('hi', 404)),
    'fail',
    /404/,
    /BERTH_DOCKER_HOST/,
  ],
  [
    'memory',
    'too little',
    (h) => (h.files['/proc/meminfo'] = `MemTotal: ${GIB_KB} kB\nMemAvailable: ${GIB_KB} kB\n`),
    'fail',
    /1 GiB in all/,
    /2 GB/,
  ],
  [
    'memory',
    'a cgroup limit',
    (h) => (h.files['/sys/fs/cgroup/memory.max'] = '1073741824\n'),
    'fail',
    /1 GiB/,
    /2 GB/,
  ],
  [
    'memory',
    'in use',
    (h) => (h.files['/proc/meminfo'] = `MemTotal: ${4 * GIB_KB} kB\nMemAvailable: 1000 kB\n`),
    'warn',
    /1000 KiB free/,
    /smaller/,
  ],
  ['memory', 'not known', (h) => (h.files['/proc/meminfo'] = ''), 'warn', /not known/, /2 GB/],
  [
    'disk for Docker',
    'full',
    (h) => (h.free['/var/lib/docker'] = 1e8),
    'fail',
    /95\.4 MiB/,
    /docker image ls/,
  ],
  [
    'disk for state',
    'nearly full',
    (h) => (h.free['/var/lib/berth'] = 2e9),
    'warn',
    /1\.9 GiB/,
    /BERTH_STATE_DIR/,
  ],
  ['disk for state', 'not known', (h) => (h.free = {}), 'warn', /not known/, /BERTH_STATE_DIR/],
  ['cgroups', 'none', (h) => (h.files = {}), 'fail', /neither/, /no limit holds/],
  [
    'cgroups',
    'no swap limit',
    (h) => (h.dockerAnswers['/info'] = answer({ ...INFO, SwapLimit: false })),
    'warn',
    /cannot limit swap/,
    /swapaccount=1/,
  ],
  [
    'ports for envs',
    'all taken',
    (h) => {
      h.config.env.portLast = 18_001;
      h.files['/proc/net/tcp6'] = listening(18_000, 18_001);
    },
    'fail',
    /0 of 18000–18001/,
    /BERTH_ENV_PORT_FIRST/,
  ],
  [
    'ports for envs',
    'few',
    (h) => {
      h.config.env.portLast = 18_009;
      h.files['/proc/net/tcp'] = listening(18_003, 80);
    },
    'warn',
    /9 of/,
    /berth rm/,
  ],
  [
    'ports for envs',
    'outgoing connections take them',
    (h) => (h.files['/proc/sys/net/ipv4/ip_local_port_range'] = '1024 65000'),
    'warn',
    /1024–65000/,
    /ip_local_port_range/,
  ],
  [
    'subnets for envs',
    "a network of Docker's",
    (h) =>
      (h.dockerAnswers['/networks'] = answer([
        { Name: 'shop_default', Labels: null, IPAM: { Config: [{ Subnet: '10.213.64.0/20' }] } },
      ])),
    'fail',
    /shop_default/,
    /BERTH_ENV_SUBNETS/,
  ],
  [
    'subnets for envs',
    'a route',
    (h) => (h.files['/proc/net/route'] = `${ROUTES}\ntun0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0`),
    'warn',
    /tun0/,
    /BERTH_ENV_SUBNETS/,
  ],
  [
    'sandbox runtime',
    'not there as configured',
    (h) => (h.config.sandbox.ociRuntime = 'youki'),
    'fail',
    /youki is configured.*only crun, runc, runsc/,
    /BERTH_SANDBOX_OCI_RUNTIME/,
  ],
  [
    'sandbox runtime',
    'crun on a host of both cgroup versions',
    (h) => (h.files['/sys/fs/cgroup/unified/cgroup.controllers'] = 'hugetlb misc\n'),
    'warn',
    /crun refuses.*hugetlb misc/,
    /npm run quickstart/,
  ],
  ['sandbox runtime', 'no Docker', (h) => h.withoutDocker('ENOENT'), 'warn', /not known/, /Docker Engine/],
  [
    'gVisor',
    'not there',
    (h) => (h.dockerAnswers['/info'] = answer({ ...INFO, Runtimes: { runc: {} } })),
    'warn',
    /not installed/,
    /quickstart -- --gvisor/,
  ],
  [
    'gVisor',
    'not known to Docker',
    (h) => {
      h.dockerAnswers['/info'] = answer({ ...INFO, Runtimes: null });
      h.programs['runsc --version'] = { code: 0, output: 'runsc version 1' };
    },
    'warn',
    /does not know it/,
    /quickstart -- --gvisor/,
  ],
  [
    'gVisor',
    'a runtime without limits',
    (h) =>
      (h.dockerAnswers['/info'] = answer({
        ...INFO,
        Runtimes: { runsc: { path: 'runsc', runtimeArgs: ['--ignore-cgroups'] } },
      })),
    'warn',
    /no limit holds/,
    /quickstart -- --gvisor/,
  ],
  [
    'local engine',
    'not there',
    (h) => (h.programs = {}),
    'warn',
    /not installed/,
    /apt-get install bubblewrap/,
  ],
  [
    'local engine',
    'not allowed',
    (h) => (h.programs['bwrap --ro-bind / / --unshare-all true'] = { code: 1, output: 'No permissions' }),
    'warn',
    /No permissions/,
    /user namespaces/,
  ],
  [
    'local engine',
    'without an interpreter',
    (h) => delete h.programs['/usr/bin/python3 --version'],
    'warn',
    /no \/usr\/bin\/python3/,
    /BERTH_LOCAL_PYTHON/,
  ],
  [
    'sandbox image',
    'not there',
    (h) => (h.dockerAnswers['/images/berth/sandbox-python:3.11/json'] = answer({}, 404)),
    'warn',
    /is not there/,
    /berth images prepare/,
  ],
  ['sandbox image', 'no Docker', (h) => h.withoutDocker('ENOENT'), 'warn', /not known/, /Docker/],
  [
    'berthd',
    'not running',
    (h) => (h.daemon = { kind: 'silent', message: 'refused' }),
    'warn',
    /nothing answers/,
    /quickstart/,
  ],
  [
    'berthd',
    'somebody else is there',
    (h) => {
      h.daemon = { kind: 'silent', message: 'protocol error' };
      h.files['/proc/net/tcp'] = listening(50_051);
    },
    'fail',
    /something listens/,
    /BERTH_GRPC_ADDRESS/,
  ],
  [
    'berthd',
    'unwell',
    (h) => (h.daemon = { kind: 'unwell', reason: 'DOCKER_UNAVAILABLE', message: 'start it' }),
    'warn',
    /DOCKER_UNAVAILABLE: start it/,
    /recovers/,
  ],
  [
    'berthd',
    'a pool in trouble',
    (h) => (h.daemon = { kind: 'serves', readySandboxes: 0, troubles: ['cannot create'] }),
    'warn',
    /0 sandboxes ready; cannot create/,
    /berth pools/,
  ],
];

test.each(TROUBLES)('%s: %s', async (name, _case, change, status, text, todo) => {
  const found = await look(name, change);
  expect(found.status).toBe(status);
  expect(found.text).toMatch(text);
  expect(found.todo).toMatch(todo);
});

test("networks of Berth's own, and their routes, are no collision", async () => {
  const found = await look('subnets for envs', (host) => {
    host.dockerAnswers['/networks'] = answer([
      {
        Name: 'env-x-net',
        Labels: { 'dev.berth.owner': 'berth' },
        IPAM: { Config: [{ Subnet: '10.213.0.16/28' }] },
      },
    ]);
    host.files['/proc/net/route'] = `${ROUTES}\nbr-1 1000D50A 00000000 0001 0 0 0 F0FFFFFF 0 0 0`;
  });
  expect(found).toMatchObject({ status: 'ok' });
});

test.each([
  ['crun', {}, '', /^crun$/],
  ["Docker's default without crun", { Runtimes: { runc: {} } }, '', /^runc, Docker's default; under crun/],
  ["Docker's default that is not runc", { DefaultRuntime: 'kata' }, '', /^kata, Docker's default$/],
  ['the configured one', {}, 'runc', /^runc, as configured$/],
])('the runtime of sandboxes is told: %s', async (_, info, configured, text) => {
  const found = await look('sandbox runtime', (host) => {
    host.dockerAnswers['/info'] = answer({ ...INFO, ...info });
    host.config.sandbox.ociRuntime = configured;
  });
  expect(found).toMatchObject({ status: 'ok', text: expect.stringMatching(text) });
});

test('the cgroup check says when peaks are sampled, and takes version 1', async () => {
  expect((await look('cgroups', (host) => (host.kernelRelease = '6.1.0'))).text).toMatch(/sampled/);
  const v1 = await look(
    'cgroups',
    (host) => (host.files = { '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712' }),
  );
  expect(v1).toMatchObject({ status: 'ok', text: 'version 1' });
});

async function doctor(host: FakeHost, ...args: string[]): Promise<{ code: number; io: FakeIo }> {
  const io = new FakeIo();
  const cli = new CommandLine(io);
  await doctorCommand(cli, async () => host).parseAsync(args, { from: 'user' });
  return { code: cli.exitCode, io };
}

test('every check is a line, what to do is below it, and a failure is exit code 1', async () => {
  const host = new FakeHost();
  const well = await doctor(host);
  expect(well.code).toBe(0);
  expect(well.io.out.lines).toHaveLength(CHECKS.length + 1);
  expect(well.io.out.lines.at(-1)).toBe(`${CHECKS.length} ok, 0 to look at, 0 failed`);

  host.withoutDocker('ENOENT');
  const ill = await doctor(host);
  expect(ill.code).toBe(1);
  expect(ill.io.out.text).toMatch(/^fail {2}Docker Engine {5}there is no unix.*\n +→ Install it/m);
});

test('a warning alone is exit code 0', async () => {
  const host = new FakeHost();
  host.programs = {};
  expect((await doctor(host)).code).toBe(0);
});

test('--json answers one object', async () => {
  const host = new FakeHost();
  host.nodeVersion = '18.0.0';
  const { code, io } = await doctor(host, '--json');
  expect(code).toBe(1);
  expect(JSON.parse(io.out.text)).toMatchObject({
    ok: false,
    checks: expect.arrayContaining([
      {
        name: 'Node',
        status: 'fail',
        text: '18.0.0 is too old',
        todo: expect.stringContaining('nodejs.org'),
      },
    ]) as unknown,
  });
});
