import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalEngine } from '#dist/src/engine/local/create-local-engine.js';
import { startEngine, startSandbox, type LocalTestSandbox } from './support.js';

let engine: LocalEngine;
let sandbox: LocalTestSandbox;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  engine = await startEngine();
  expect(engine.problem).toBe('');
  sandbox = await startSandbox(engine);
});
afterAll(async () => {
  await sandbox?.sandbox.destroy();
  await engine.close();
  for (const step of undo.reverse()) await step();
});

describe('the host', () => {
  it("has files that are not there: root's, users', state, other programs'", async () => {
    const canary = `berth-canary-${randomBytes(8).toString('hex')}`;
    const directories = [];
    for (const parent of ['/root', '/home', '/var', '/opt', '/run', '/srv', '/tmp', '/etc']) {
      const directory = await mkdtemp(path.join(parent, 'berth-local-test-'));
      undo.push(() => rm(directory, { recursive: true }));
      await writeFile(path.join(directory, canary), canary, { mode: 0o666 });
      directories.push(directory);
    }
    const { stdout, stderr } = await sandbox.python(`
import os
print([d for d in ${JSON.stringify(directories)} if os.path.exists(d)])
print([d for d in ('/root', '/home', '/var', '/opt', '/run', '/srv', '/mnt', '/boot') if os.path.exists(d)])
print([f for f in ('/etc/shadow', '/etc/ssh', '/etc/hostname', '/etc/resolv.conf', '/etc/ssl/private') if os.path.exists(f)])
found = []
for top, directories, files in os.walk('/'):
    directories[:] = [d for d in directories if (top, d) not in (('/', 'proc'), ('/', 'usr'))]
    found += [name for name in files + directories if 'canary' in name]
print(found)
print([user for user in open('/etc/passwd').read().split() if not user.startswith(('root:', 'nobody:'))])
`);
    expect(stderr).toBe('');
    expect(stdout).toBe('[]\n[]\n[]\n[]\n[]\n');
  });

  it('has processes that are not seen, and an environment that is not inherited', async () => {
    const { stdout } = await sandbox.python(`
import os
print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()) == [1, 2, os.getpid()] or os.listdir('/proc'))
print(sorted(os.environ))
for path in '/proc/1/environ', '/proc/1/fd', '/proc/1/root', '/proc/1/mem', '/proc/2/mem', '/proc/2/fd':
    try: os.listdir(path) if path.endswith(('fd', 'root')) else open(path, 'rb').read(1)
    except PermissionError: continue
    print('readable:', path)
`);
    const [processes, environment, ...readable] = stdout.trim().split('\n');
    expect(environment).toBe("['HOME', 'LANG', 'PATH']");
    expect(readable).toEqual([]);
    // The zygote's number depends on how many threads the runner had before it.
    expect(processes === 'True' || (processes?.match(/'\d+'/g) ?? []).length === 3).toBe(true);
  });

  it('has a name, clock and kernel settings that cannot be changed', async () => {
    const { stdout } = await sandbox.python(`
import os, socket, time
print(socket.gethostname())
def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try: os.write(fd, text)
    finally: os.close(fd)
for name, act in {
    'hostname': lambda: socket.sethostname('x'),
    'clock': lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
    'sysctl': lambda: write('/proc/sys/kernel/hostname', b'x'),
    'sysrq': lambda: write('/proc/sysrq-trigger', b'h'),
    'oom': lambda: write('/proc/self/oom_score_adj', b'-1000'),
    'limit': lambda: write('/sys/fs/cgroup/memory/memory.limit_in_bytes', b'-1'),
    'kcore': lambda: (_ for _ in ()).throw(OSError()) if not open('/proc/kcore', 'rb').read(1) else None,
    'keys': lambda: (_ for _ in ()).throw(OSError()) if not open('/proc/keys', 'rb').read(1) else None,
    'terminals': lambda: os.openpty(),
}.items():
    try: act()
    except OSError: continue
    print('done:', name)
`);
    expect(stdout).toBe('sandbox\n');
  });
});

describe('the network', () => {
  const listen = (address: { port: number; host: string } | { path: string }): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((socket) => socket.end('reached'));
      server.listen(address, () => resolve(server));
      undo.push(() => new Promise((closed) => server.close(closed)));
    });

  it('is a loopback of its own: neither interfaces nor sockets of the host', async () => {
    const tcp = await listen({ port: 0, host: '127.0.0.1' });
    const { port } = tcp.address() as { port: number };
    const abstract = `berth-local-${randomBytes(4).toString('hex')}`;
    await listen({ path: `\0${abstract}` });
    const { stdout, stderr } = await sandbox.python(`
import os, socket
print(sorted(line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line))
def reach(family, address):
    with socket.socket(family) as s:
        s.settimeout(5)
        try: s.connect(address)
        except OSError as error: return error.strerror
        return s.recv(100)
print(reach(socket.AF_INET, ('127.0.0.1', ${port})))
print(reach(socket.AF_INET, ('169.254.169.254', 80)))
print(reach(socket.AF_INET6, ('fe80::1', 80)))
print(reach(socket.AF_UNIX, '\\0${abstract}'))
for family, kind, protocol in (socket.AF_PACKET, socket.SOCK_RAW, 0), (socket.AF_INET, socket.SOCK_RAW, 1), (40, socket.SOCK_STREAM, 0):
    try: socket.socket(family, kind, protocol)
    except PermissionError: continue
    print('made:', family)
server = socket.create_server(('127.0.0.1', 0))
with socket.create_connection(server.getsockname()): print('own loopback')
`);
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      "['lo']",
      'Connection refused',
      'Network is unreachable',
      expect.stringMatching(/unreachable|Invalid argument|Cannot assign/),
      'Connection refused',
      'own loopback',
    ]);
  });
});

describe('privileges', () => {
  it('are none: no capabilities, no way to new ones', async () => {
    const { stdout } = await sandbox.python(`
import re
status = open('/proc/self/status').read()
for name in 'CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'CapBnd', 'NoNewPrivs', 'Seccomp', 'Groups':
    print(name, re.search(rf'^{name}:(.*)$', status, re.M)[1].strip())
`);
    const rows = stdout.split('\n').map((line) => line.trim().split(' '));
    const status = Object.fromEntries(rows.map(([name, value]) => [name ?? '', value ?? '']));
    const none = '0000000000000000';
    expect(status).toMatchObject({ CapInh: none, CapPrm: none, CapEff: none, CapAmb: none });
    // SETUID, SETGID and KILL: the runner's, out of reach without a set-uid program.
    expect(status).toMatchObject({ CapBnd: '00000000000000e0', NoNewPrivs: '1', Seccomp: '2', Groups: '' });
  });

  it('cannot be had from system calls', async () => {
    const { stdout, stderr } = await sandbox.python(`
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
calls = {  # number on x86-64, on arm64, arguments
    'unshare(NEWUSER)': (272, 97, 0x10000000), 'unshare(NEWNS)': (272, 97, 0x20000), 'setns': (308, 268, 0, 0),
    'mount': (165, 40, b'none', b'/tmp', b'tmpfs', 0, 0), 'umount': (166, 39, b'/tmp', 2), 'pivot_root': (155, 41, b'/', b'/'),
    'chroot': (161, 51, b'/tmp'), 'ptrace': (101, 117, 16, 1, 0, 0), 'process_vm_readv': (310, 270, 1, 0, 0, 0, 0, 0),
    'keyctl': (250, 219, 0, -3, 1), 'add_key': (248, 217, b'user', b'x', b'y', 1, -3), 'bpf': (321, 280, 0, 0, 0),
    'userfaultfd': (323, 282, 0), 'io_uring_setup': (425, 425, 1, 0), 'perf_event_open': (298, 241, 0, 0, -1, -1, 0),
    'mknodat(device)': (259, 33, -100, b'/tmp/device', 0o020666, 0x103), 'setuid': (105, 146, 0), 'setgid': (106, 144, 0),
    'kexec_load': (246, 104, 0, 0, 0, 0), 'init_module': (175, 105, 0, 0, b''), 'reboot': (169, 142, 0, 0, 0, 0),
    'open_by_handle_at': (304, 265, 0, 0, 0), 'fanotify_init': (300, 262, 0, 0), 'quotactl': (179, 60, 0, 0, 0, 0),
    'swapon': (167, 224, b'/tmp/x', 0), 'settimeofday': (164, 170, 0, 0), 'acct': (163, 89, 0), 'fsopen': (430, 430, b'tmpfs', 0),
}
for name, (amd64, arm64, *arguments) in calls.items():
    result = libc.syscall(amd64 if x86 else arm64, *arguments)
    if result != -1 or ctypes.get_errno() not in (1, 13):
        print(name, result, os.strerror(ctypes.get_errno()))
try: os.kill(1, 9)
except PermissionError: print('kept')
try: os.kill(-1, 0)
except PermissionError: pass
`);
    expect(stderr).toBe('');
    expect(stdout).toBe('kept\n');
  });

  it('write nowhere but in the four places that a reset cleans', async () => {
    const { stdout } = await sandbox.python(`
import os
writable = set()
for top, directories, files in os.walk('/'):
    directories[:] = [d for d in directories if not (top == '/' and d in ('proc', 'usr'))]
    if os.access(top, os.W_OK): writable.add(top)
    for name in files:
        path = os.path.join(top, name)
        if os.access(path, os.W_OK) and not os.path.islink(path): writable.add(path)
print(sorted(writable))
mounts = [line.split() for line in open('/proc/self/mountinfo')]
print(sorted(m[4] for m in mounts if 'ro' not in m[5].split(',')))
for path in '/x', '/usr/x', '/etc/x', '/dev/x', '/berth/x', '/berth/launchers/python.py', '/sys/fs/cgroup/x', '/proc/sys/kernel/ns_last_pid', '/proc/sysrq-trigger':
    try: open(path, 'a')
    except OSError: continue
    print('written:', path)
`);
    const places = ['/dev/mqueue', '/dev/shm', '/tmp', '/workspace'];
    const devices = ['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((name) => `/dev/${name}`);
    expect(
      stdout
        .trim()
        .replaceAll("'", '"')
        .split('\n')
        .map((line) => JSON.parse(line) as string[]),
    ).toEqual([
      [...devices, ...places, '/workspace/main.py'].sort(),
      // Devices are files of the host's; in /proc its own files may be written.
      [...devices, ...places, '/proc'].sort(),
    ]);
  });

  it('do not come from set-uid programs of the host', async () => {
    const { stdout } = await sandbox.command(
      'sh',
      '-c',
      'for p in /usr/bin/su /usr/bin/mount /usr/bin/passwd; do test -e $p && $p --version >/dev/null 2>&1; done; id -u; cp /bin/sh /tmp/sh; chmod 4755 /tmp/sh; /tmp/sh -pc "id -u"',
    );
    const [before, after] = stdout.trim().split('\n');
    expect(Number(before)).toBeGreaterThanOrEqual(300_000);
    expect(after).toBe(before);
  });

  it('end with SIGSYS in a call of another architecture', async () => {
    const { end } = await sandbox.python(`
import ctypes, mmap, platform
if platform.machine() != 'x86_64': raise SystemExit(0)
code = b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3'  # mov eax, 20 (getpid of i386); int 0x80; ret
area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
area.write(code)
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))()
`);
    expect(['SIGSYS', 'SIGSEGV', '']).toContain(end.signal);
    expect(end.exitCode === 0).toBe(process.arch !== 'x64');
  });
});

describe('neighbours', () => {
  it('share no uid, no memory, no files and no processes', async () => {
    await using other = await startSandbox(engine);
    const look =
      'import os; print(os.getuid(), os.readlink("/proc/self/ns/user"), os.readlink("/proc/self/ns/ipc"), os.readlink("/proc/self/ns/pid"), os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/uts"), os.readlink("/proc/self/ns/cgroup"))';
    const ours = (await sandbox.python(look)).stdout.trim().split(' ');
    const theirs = (await other.python(look)).stdout.trim().split(' ');
    expect(ours).toHaveLength(8);
    expect(ours.filter((value) => theirs.includes(value))).toEqual([]);
  });
});
