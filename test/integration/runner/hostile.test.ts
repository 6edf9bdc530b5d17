import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestSandbox } from './test-sandbox.js';

let box: TestSandbox;
beforeAll(async () => {
  box = await TestSandbox.start();
});
afterAll(() => box.close());

/** The sandbox still works, has nothing but its launcher and a spare, and answers. */
async function expectIntact(): Promise<void> {
  const report = await box.reset();
  expect(report).toMatchObject({ ok: true, remainingProcesses: 0, remainingFiles: 0 });
  expect((await box.once({ code: 'print("alive")' })).stdout).toBe('alive\n');
  expect((await box.ping()).processes).toBe(box.ready.baselineProcesses + 1);
}

describe('hostile code', () => {
  test('a fork bomb meets the limit and is cleared away', async () => {
    const outcome = await box.run({
      code: `
import os, time
made = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError as e: print(e.errno, made > 50)
`,
    });
    expect(outcome.stdout).toBe('11 True\n');
    const report = await box.reset();
    expect(report.ok).toBe(true);
    expect(report.killedProcesses).toBeGreaterThan(50);
    await box.run({ code: 'print(1)' });
    await expectIntact();
  });

  test('a fork bomb that never stops is ended by time', async () => {
    const outcome = await box.run({
      code: 'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass',
      limits: { wallMs: 500 },
    });
    expect(outcome.exit.end).toBe('wall_timeout');
    await expectIntact();
  });

  test('a double fork with setsid that holds the pipes ends with the program', async () => {
    const outcome = await box.run({
      code: `
import os, signal, time
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(60)
    os._exit(0)
os.wait()
print("main done")
`,
    });
    expect(outcome.exit).toMatchObject({ end: 'exited', exitCode: 0 });
    expect(outcome.stdout).toBe('main done\n');
    expect(outcome.exit.usage.wallUs).toBeLessThan(2_000_000);
    await expectIntact();
  });

  test('kill -9 -1 reaches only the program itself', async () => {
    const outcome = await box.run({
      code: 'import os\nprint("before", flush=True)\nos.kill(-1, 9)\nprint("survived")',
    });
    expect(outcome.stdout).toMatch(/^before\n/);
    await expectIntact();
  });

  test('every signal to every process is refused', async () => {
    const outcome = await box.run({
      code: `
import os
mine, denied = os.getpid(), 0
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid == mine: continue
    for s in range(1, 65):
        try: os.kill(pid, s); print("reached", pid, s)
        except PermissionError: denied += 1
print(denied == 128)
`,
    });
    expect(outcome.stdout).toBe('True\n');
    await expectIntact();
  });

  test('forged frames on every descriptor arrive as output', async () => {
    const outcome = await box.run({
      code: `
import os, struct, json
frame = struct.pack(">IBI", 5 + 2, 0x86, 1) + b"{}"
for fd in range(3, 1024):
    try: os.write(fd, frame); print("wrote to", fd)
    except OSError: pass
for path in ("/proc/1/fd/1", "/proc/1/fd/0", "/proc/self/../1/fd/1"):
    try: open(path, "wb"); print("opened", path)
    except OSError: pass
os.write(1, frame); os.write(2, frame)
`,
    });
    const forged = Buffer.concat([Buffer.from([0, 0, 0, 7, 0x86, 0, 0, 0, 1]), Buffer.from('{}')]);
    expect(outcome.stdoutBytes.equals(forged)).toBe(true);
    expect(outcome.exit).toMatchObject({ end: 'exited', exitCode: 0 });
    await expectIntact();
  });

  test('the runner and the launcher cannot be looked into', async () => {
    const outcome = await box.run({
      code: `
import os
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid == os.getpid(): continue
    for name in ("mem", "maps", "environ", "fd", "cwd", "root", "exe", "io", "stack", "syscall", "auxv"):
        path = f"/proc/{pid}/{name}"
        for look in (os.listdir, os.readlink, lambda p: open(p, "rb").read(16), lambda p: open(p, "r+b")):
            try:
                found = look(path)
                print("open", path, found)
            except OSError: pass
`,
    });
    expect(outcome.stdout).toBe('');
    await expectIntact();
  });

  test('it has no capabilities, no groups, its own session, and no new privileges', async () => {
    const outcome = await box.run({
      code: `
import os
status = dict(l.rstrip("\\n").split(":\\t", 1) for l in open("/proc/self/status") if ":\\t" in l)
print(*(status[n] for n in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")))
print(os.getresuid() == (os.getuid(),) * 3, os.getresgid() == (os.getuid(),) * 3, os.getgroups(), os.getsid(0) == os.getpid(), os.getppid())
print(open("/proc/self/oom_score_adj").read().strip())
for attempt in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot("/tmp"), lambda: os.nice(-5)):
    try: attempt(); print("allowed")
    except OSError as e: print(e.errno)
`,
    });
    const none = '0000000000000000';
    expect(outcome.stdout.split('\n')).toEqual([
      `${none} ${none} ${none} ${none} 1 2`,
      'True True [] True 1',
      '1000',
      ...Array.from({ length: 5 }, () => expect.stringMatching(/^(1|13)$/)),
      '',
    ]);
    await expectIntact();
  });

  test('what the profile forbids is refused, and threads still work', async () => {
    const outcome = await box.run({
      code: `
import ctypes, errno, os, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
calls = dict(ptrace=101, mount=165, umount2=166, swapon=167, unshare=272, setns=308, bpf=321, userfaultfd=323, io_uring_setup=425,
  keyctl=250, add_key=248, request_key=249, perf_event_open=298, kexec_load=246, init_module=175, process_vm_readv=310,
  name_to_handle_at=303, open_by_handle_at=304, clock_settime=227, settimeofday=164, fanotify_init=300, pidfd_getfd=438,
  fsopen=430, move_mount=429, quotactl=179, acct=163, syslog=103, kcmp=312, lookup_dcookie=212) if x86 else dict(
  ptrace=117, mount=40, umount2=39, swapon=224, unshare=97, setns=268, bpf=280, userfaultfd=282, io_uring_setup=425)
print([name for name, number in calls.items() if libc.syscall(number, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM])
libc.syscall(435, 0, 0); print(errno.errorcode[ctypes.get_errno()])
NEW = 0x10000000
libc.syscall(56 if x86 else 220, NEW | 17, 0, 0, 0, 0); print(errno.errorcode[ctypes.get_errno()])
def opens(family):
    try: socket.socket(family, socket.SOCK_STREAM).close(); return True
    except OSError: return False
print([family for family in range(50) if opens(family)])
t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
libc.personality(0x0040000); print(errno.errorcode[ctypes.get_errno()])
`,
    });
    expect(outcome.stdout.split('\n')).toEqual([
      '[]',
      'ENOSYS',
      'EPERM',
      '[1, 2, 10]',
      'thread',
      'EPERM',
      '',
    ]);
    expect(outcome.stderr).toBe('');
    await expectIntact();
  });

  test('a flood of false ends on the bell ends only the program that rings', async () => {
    const outcome = await box.run({
      code: `
import os, socket
names = [l.split()[-1] for l in open("/proc/net/unix") if "berth-bell" in l]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for text in (b"", b"x", b"-1 0 0", b"300 0 0", b"1 2 3 4", b"9" * 60, b"0 0", b"0 9223372036854775 9223372036854775"):
    s.sendto(text, "\\0" + names[0][1:])
if os.fork() == 0:
    s.sendto(b"0 0 0", "\\0" + names[0][1:])
    os._exit(0)
os.wait()
print("still here", flush=True)
s.sendto(b"7 99999999999 99999999999", "\\0" + names[0][1:])
import time; time.sleep(0.2); os._exit(7)
`,
    });
    expect(outcome.stdout).toBe('still here\n');
    expect(outcome.exit).toMatchObject({ end: 'exited', exitCode: 7 });
    const { userUs, systemUs, wallUs } = outcome.exit.usage;
    expect(userUs + systemUs).toBeLessThanOrEqual(wallUs * 64);
    await expectIntact();
  });

  test('a violation of the protocol by the daemon ends the runner with 70', async () => {
    await using other = await TestSandbox.start();
    other.send(Buffer.from([0, 0, 0, 5, 0x55, 0, 0, 0, 0]));
    expect((await other.next('error')).message).toContain('0x55');
    expect(await other.exited).toBe(70);
  });

  test('the end of input ends the runner with 0, whatever runs', async () => {
    const other = await TestSandbox.start();
    other.begin({ code: 'import time\nprint(1, flush=True)\ntime.sleep(60)' });
    await other.next('stdout');
    expect(await other.close()).toBe(0);
  });
});
