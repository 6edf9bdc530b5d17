import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  connect,
  EndReason,
  LostCause,
  OutputStream,
  StartPath,
  status,
  type BerthClient,
  type ExecuteEvent,
} from '../../../clients/typescript/src/index.js';
import { containersOf, docker } from '../../support/docker-cli.js';
import type { TestDaemon } from '../../support/daemon.js';
import { daemonOfFile } from '../../support/daemon-of-file.js';
import { failure } from '../../support/rpc-failure.js';

let daemon: TestDaemon;
let client: BerthClient;
daemonOfFile({}, (started) => ({ daemon, client } = started));

const python = (code: string) => ({ language: 'python', source: { $case: 'code' as const, value: code } });

describe('Execute', () => {
  it('runs Python and says what served it, what it used, and how it ended', async () => {
    const result = await client.run(
      python('import sys\nprint("out")\nprint("err", file=sys.stderr)\nsys.exit(3)'),
    );
    expect(result.stdout.toString()).toBe('out\n');
    expect(result.stderr.toString()).toBe('err\n');
    expect(result.reason).toBe(EndReason.EXITED);
    expect(result.exitCode).toBe(3);
    expect(result.started.engine).toBe('docker');
    expect(result.started.sandboxId).toMatch(/^sbx-[0-9a-f]{12}$/);
    expect(result.started.languageVersion).toMatch(/^3\.11\./);
    expect(result.usage?.wallMs).toBeGreaterThan(0);
    expect(result.usage?.peakMemoryBytes).toBeGreaterThan(1024 * 1024);
    expect(result.usage?.stdoutBytes).toBe(4);
  });

  it('numbers its events from 1 without gaps, and ends with exactly one terminal event', async () => {
    const events: ExecuteEvent[] = [];
    for await (const event of client.execute(python('print(1)\nprint(2)'))) events.push(event);
    expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
    expect(events[0]?.event?.$case).toBe('started');
    expect(events.filter((e) => e.event?.$case === 'ended')).toHaveLength(1);
    expect(events.at(-1)?.event?.$case).toBe('ended');
  });

  it('streams output as it is written and not at the end', async () => {
    const events = client.execute(
      python('import sys\nprint("first", flush=True)\nsys.stdin.read()\nimport time\ntime.sleep(60)'),
    );
    for await (const event of events) {
      if (event.event?.$case !== 'output') continue;
      expect(event.event.value.data.toString()).toBe('first\n');
      // Leaving the loop cancels the call, and with it the execution.
      break;
    }
  });

  it('passes arguments, files, environment and standard input', async () => {
    const result = await client.run({
      ...python(
        'import sys, os\nfrom lib.helper import twice\nprint(sys.argv[1:], os.environ["COLOUR"], twice(sys.stdin.read()), open("data.txt").read())',
      ),
      args: ['a', 'b c'],
      env: { COLOUR: 'grün' },
      stdin: Buffer.from('xy'),
      files: [
        { path: 'lib/helper.py', content: Buffer.from('def twice(x): return x * 2\n'), mode: 0 },
        { path: 'data.txt', content: Buffer.from('daten'), mode: 0 },
      ],
    });
    expect(result.stderr.toString()).toBe('');
    expect(result.stdout.toString()).toBe("['a', 'b c'] grün xyxy daten\n");
  });

  it('runs a command of an image', async () => {
    const result = await client.run({
      language: 'python',
      source: { $case: 'command', value: { argv: ['sh', '-c', 'echo $((6 * 7)); exit 5'] } },
    });
    expect(result.stdout.toString()).toBe('42\n');
    expect(result.exitCode).toBe(5);
    expect(result.started.startPath).toBe(StartPath.COMMAND);
  });

  it('is served by a warm sandbox with a spare, also the second time, and shows the receipt of the reset between', async () => {
    const sandboxes = new Set<string>();
    for (let i = 0; i < 6; i++) {
      const result = await client.run(python('open("/tmp/left", "w").write("x" * 1000)'));
      expect(result.started.startPath).toBe(StartPath.SPARE);
      if (sandboxes.has(result.started.sandboxId)) {
        expect(result.ended.resetReceipt).toMatchObject({
          ok: true,
          removedFiles: expect.toSatisfy((n: number) => n >= 1),
        });
        return;
      }
      sandboxes.add(result.started.sandboxId);
    }
    throw new Error('no sandbox was used twice in six executions');
  });

  it('ends at the wall limit with the output until then', async () => {
    const result = await client.run({
      ...python('print("before", flush=True)\nwhile True: pass'),
      limits: { wallMs: 1_000 },
    });
    expect(result.reason).toBe(EndReason.WALL_TIMEOUT);
    expect(result.stdout.toString()).toBe('before\n');
  });

  it('ends at the output limit with exactly so many bytes', async () => {
    const result = await client.run({
      ...python('while True: print("x" * 99)'),
      limits: { outputBytes: 12_345 },
    });
    expect(result.reason).toBe(EndReason.OUTPUT_LIMIT);
    expect(result.stdout.length + result.stderr.length).toBe(12_345);
    expect(result.truncated).toBe(true);
  });

  it('ends at the memory limit, typed, and the next execution is well', async () => {
    const result = await client.run({
      ...python('print("before", flush=True)\nx = []\nwhile True: x.append(bytearray(4 << 20))'),
      limits: { memoryBytes: 64 * 1024 * 1024 },
    });
    expect(result.reason).toBe(EndReason.OUT_OF_MEMORY);
    expect(result.stdout.toString()).toBe('before\n');
    expect((await client.run(python('print("well")'))).stdout.toString()).toBe('well\n');
  });

  it('is cancelled when its client goes away, and its sandbox is ready again', async () => {
    const abort = new AbortController();
    const running = client.run(python('import time\nprint("up", flush=True)\ntime.sleep(600)'), {
      signal: abort.signal,
    });
    running.catch(() => undefined);
    await daemon.logged((line) => line.event === 'sandbox_acquired' && daemon.log.indexOf(line) >= 0);
    abort.abort();
    expect((await failure(running)).code).toBe(status.CANCELLED);
    expect((await client.run(python('print(1)'))).exitCode).toBe(0);
  });

  it('reaches the deadline of the call', async () => {
    const error = await failure(client.run(python('import time\ntime.sleep(600)'), { timeoutMs: 500 }));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
  });

  it('says so when its sandbox dies under it', async () => {
    const events = client.execute(python('import time\nprint("up", flush=True)\ntime.sleep(600)'));
    let ended: Extract<ExecuteEvent['event'], { $case: 'ended' }> | undefined;
    for await (const { event } of events) {
      if (event?.$case === 'started') {
        const [container] = (
          await docker('ps', '-q', '--filter', `label=dev.berth.sandbox=${event.value.sandboxId}`)
        ).split('\n');
        await docker('kill', container!);
      }
      if (event?.$case === 'ended') ended = event;
    }
    expect(ended?.value.reason).toBe(EndReason.SANDBOX_LOST);
    expect(ended?.value.lostCause).toBe(LostCause.CONTAINER_DIED);
  });

  it('replays the first answer for a repeated request id, and refuses another request under it', async () => {
    const request = { ...python('import random\nprint(random.random())'), requestId: 'once-1' };
    const first = await client.run(request);
    const again = await client.run(request);
    expect(again.stdout.toString()).toBe(first.stdout.toString());
    expect(again.started.replayed).toBe(true);
    const error = await failure(client.run({ ...python('print(2)'), requestId: 'once-1' }));
    expect(error.reason).toBe('REQUEST_ID_REUSED');
  });

  it('keeps binary output as it is', async () => {
    const result = await client.run(python('import os\nos.write(1, bytes(range(256)) * 1000)'));
    expect(
      result.stdout.equals(
        Buffer.concat(
          Array.from({ length: 1000 }, () => Buffer.from(Array.from({ length: 256 }, (_, i) => i))),
        ),
      ),
    ).toBe(true);
  });

  it('carries many executions at once, each with its own output', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.run(python(`print(${i})`))),
    );
    expect(results.map((r) => r.stdout.toString())).toEqual(Array.from({ length: 20 }, (_, i) => `${i}\n`));
    expect((await containersOf(daemon.owner)).length).toBeLessThanOrEqual(8);
  });
});

describe('bad input to Execute', () => {
  it.each([
    ['empty code', { language: 'python', source: { $case: 'code' as const, value: '' } }, 'code'],
    ['unknown language', { language: 'cobol', source: { $case: 'code' as const, value: 'x' } }, 'language'],
    [
      'a file that climbs out',
      { ...python('x'), files: [{ path: '../x', content: Buffer.alloc(0), mode: 0 }] },
      'files[0].path',
    ],
    ['a limit out of range', { ...python('x'), limits: { wallMs: 10 ** 12 } }, 'limits.wall_ms'],
  ])('%s', async (_name, request, field) => {
    const error = await failure(client.run(request));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.reason).toMatch(/^(INVALID_ARGUMENT|LANGUAGE_UNKNOWN)$/);
    expect(error.violations.map((v) => v.field)).toContain(field);
  });

  it('a tenant outside the id grammar', async () => {
    using stranger = connect({ address: daemon.address, tenant: '../root' });
    const error = await failure(stranger.run(python('print(1)')));
    expect(error.violations.map((v) => v.field)).toEqual(['berth-tenant (metadata)']);
  });

  it('a message over the size limit', async () => {
    const error = await failure(client.run({ ...python('x'), stdin: Buffer.alloc(17 * 1024 * 1024) }));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('an image that is not there', async () => {
    const error = await failure(
      client.run({ image: 'nobody/has-this:1', source: { $case: 'command', value: { argv: ['true'] } } }),
    );
    expect(error.reason).toBe('IMAGE_NOT_FOUND');
  });

  it('a method that is not built', async () => {
    const error = await failure(client.sandbox.listSandboxes({ pageSize: 0, pageToken: '' } as never));
    expect(error.code).toBe(status.UNIMPLEMENTED);
    expect(error.reason).toBe('NOT_BUILT');
  });
});

describe('what a program may not do to its host or to the next', () => {
  it('cannot plant open files in the runner by way of its bell', async () => {
    const plant = `
import array, os, socket, time
names = [line.split()[-1] for line in open("/proc/net/unix") if "berth-bell" in line]
bell = bytes([0]) + names[0][1:].encode()
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
secret = os.memfd_create("secret")
os.write(secret, b"SECRET-OF-A")
for _ in range(8):
    sock.sendmsg([b"plant"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [secret, secret]))], 0, bell)
time.sleep(0.1)
print(len(names))
`;
    const first = await client.run(python(plant));
    expect(first.stderr.toString()).toBe('');
    expect(first.stdout.toString()).toBe('1\n');
    for (let i = 0; i < 8; i++) {
      const command = {
        $case: 'command' as const,
        value: { argv: ['sh', '-c', 'ls /proc/self/fd | wc -l'] },
      };
      const next = await client.run({ language: 'python', source: command });
      if (next.started.sandboxId !== first.started.sandboxId) continue;
      // 0, 1, 2 and the one that ls itself has open.
      expect(next.stdout.toString().trim()).toBe('4');
      return;
    }
    throw new Error('the sandbox of the first execution was not used again');
  });

  it('cannot take terminals, of which the host has a limited number', async () => {
    const result = await client.run(
      python('import os\ntry: os.openpty()\nexcept OSError as e: print("refused")'),
    );
    expect(result.stdout.toString()).toBe('refused\n');
  });

  it('says which sandbox served what could not be started', async () => {
    const result = await client.run({
      language: 'python',
      source: { $case: 'command', value: { argv: ['no-such-program'] } },
    });
    expect(result.reason).toBe(EndReason.START_FAILED);
    expect(result.started.sandboxId).toMatch(/^sbx-/);
    expect(result.message).toContain('no-such-program');
  });
});

describe('what the code finds in a sandbox', () => {
  it('has no network but loopback, no capabilities, and a read-only root', async () => {
    const result = await client.run(
      python(`
import os, socket
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print({status[k].strip() for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")}, status["NoNewPrivs"], status["Seccomp"])
print(sorted(name for _, name in socket.if_nameindex()))
try: open("/planted", "w")
except OSError as e: print(e.errno)
print(os.getuid() >= 200000, os.getuid() == os.getgid())
print(socket.gethostbyname("localhost"))
`),
    );
    expect(result.stderr.toString()).toBe('');
    expect(result.stdout.toString().split('\n')).toEqual([
      "{'0000000000000000'} 1 2",
      "['lo']",
      '30',
      'True True',
      '127.0.0.1',
      '',
    ]);
  });

  it('is a container with exactly the privileges of the runner', async () => {
    const [id] = await containersOf(daemon.owner);
    const [inspected] = JSON.parse(await docker('inspect', id!)) as [
      { HostConfig: Record<string, unknown>; NetworkSettings: { Networks: object } },
    ];
    const host = inspected.HostConfig;
    expect(host).toMatchObject({
      CapDrop: ['ALL'],
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      CpuPeriod: 10_000,
      CpuQuota: 5_000,
      PidsLimit: 128,
      Binds: null,
      LogConfig: expect.objectContaining({ Type: 'none' }),
    });
    expect((host['CapAdd'] as string[]).map((cap) => cap.replace(/^CAP_/, '')).sort()).toEqual([
      'KILL',
      'SETGID',
      'SETUID',
    ]);
    expect(host['Memory']).toBe(host['MemorySwap']);
    expect(host['SecurityOpt']).toEqual(expect.arrayContaining(['no-new-privileges:true']));
    expect(JSON.stringify(host['SecurityOpt'])).toContain('seccomp');
  });

  it('shows nothing of what another execution ran', async () => {
    const first = await client.run(
      python('secret = "marker-of-alpha123"\nopen("/tmp/secret", "w").write(secret)'),
    );
    // B never spells A's marker: it looks for the common prefix and compares what follows by its hash. Its own marker, found
    // the same way, shows that it looks where such things are.
    const scan = `
import gc, hashlib, os, sys
control = "marker-of-bravo456"
digest = lambda text: hashlib.sha256(text).hexdigest()
suffixes, regions = set(), 0
for line in open("/proc/self/maps"):
    span, perms = line.split()[:2]
    if "r" not in perms or "[v" in line: continue
    start, end = (int(x, 16) for x in span.split("-"))
    with open("/proc/self/mem", "rb", 0) as memory:
        memory.seek(start)
        try: data = memory.read(end - start)
        except OSError: continue
    regions += 1
    at = data.find(b"marker-of-")
    while at >= 0:
        suffixes.add(digest(data[at + 10:at + 18]))
        at = data.find(b"marker-of-", at + 1)
frame, frames = sys._getframe(), []
while frame: frames.append(str(frame.f_locals)); frame = frame.f_back
objects = " ".join(str(o)[:10000] for o in gc.get_objects() if isinstance(o, (dict, list, tuple)) and len(o) < 10000) + " ".join(frames)
objects = {digest(part[:8].encode()) for part in objects.split("marker-of-")[1:]}
print(regions > 10, sys.argv[1] in suffixes, sys.argv[2] in suffixes, sys.argv[1] in objects, sys.argv[2] in objects, os.path.exists("/tmp/secret"))
`;
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    for (let i = 0; i < 8; i++) {
      const second = await client.run({ ...python(scan), args: [sha256('bravo456'), sha256('alpha123')] });
      expect(second.stderr.toString()).toBe('');
      if (second.started.sandboxId !== first.started.sandboxId) continue;
      expect(second.stdout.toString()).toBe('True True False True False False\n');
      return;
    }
    throw new Error('the sandbox of the first execution was not used again');
  });

  it('tells outputs apart', async () => {
    const streams: OutputStream[] = [];
    for await (const { event } of client.execute(python('import os\nos.write(2, b"e")\nos.write(1, b"o")'))) {
      if (event?.$case === 'output') streams.push(event.value.stream);
    }
    expect(streams.sort()).toEqual([OutputStream.STDOUT, OutputStream.STDERR]);
  });
});
