import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connect,
  EndReason,
  Isolation,
  LostCause,
  PeakMemorySource,
  ResetVerifier,
  type BerthClient,
  type ExecutionEnded,
  type RunResult,
} from '../../../clients/typescript/src/index.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { docker, ownedBy } from '../../support/docker-cli.js';
import { HostView } from './host-view.js';

const MIB = 1024 * 1024;
const PROCESSES = 16;

let daemon: TestDaemon;
let client: BerthClient;
let neighbour: BerthClient;

beforeAll(async () => {
  daemon = await startDaemon({
    env: {
      // Few, so that the bomb is over soon.
      BERTH_SANDBOX_PROCESSES: String(PROCESSES),
      BERTH_POOL_HEALTH_INTERVAL_MS: '1000',
    },
  });
  client = connect({ address: daemon.address });
  neighbour = connect({ address: daemon.address, tenant: 'neighbour' });
});

afterAll(async () => {
  client.close();
  neighbour.close();
  const views = await HostView.all(daemon.owner);
  const cgroups = views.flatMap((view) => view.cgroups);
  const processes = views.flatMap((view) => view.members().flat());
  expect(await daemon.stop()).toBe(0);
  expect(await ownedBy(daemon.owner)).toEqual([]);
  expect(cgroups.filter((directory) => existsSync(directory))).toEqual([]);
  expect(processes.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  await daemon.dispose();
});

const run = (
  code: string,
  by: BerthClient = client,
  limits: { memoryBytes?: number } = {},
): Promise<RunResult> =>
  by.run({ language: 'python', source: { $case: 'code', value: code }, isolation: Isolation.GVISOR, limits });

const command = (...argv: string[]): Promise<RunResult> =>
  client.run({
    language: 'python',
    source: { $case: 'command', value: { argv } },
    isolation: Isolation.GVISOR,
  });

/** Resolves when a sandbox is reset after everything that it was given for. */
const atRest = (sandbox: string): Promise<unknown> => {
  const count = (event: string): number =>
    daemon.log.filter((line) => line.event === event && line['sandbox'] === sandbox).length;
  return daemon.logged(() => count('sandbox_returned') === count('sandbox_acquired'));
};

/** Runs a program, and does something to its sandbox as soon as it has begun. */
async function during(code: string, act: (view: HostView) => Promise<unknown>): Promise<ExecutionEnded> {
  let ended: ExecutionEnded | undefined;
  const events = client.sandbox.execute({
    requestId: randomUUID(),
    language: 'python',
    source: { $case: 'code', value: code },
    isolation: Isolation.GVISOR,
  });
  for await (const { event: message } of events) {
    const event = message?.event;
    if (event?.$case === 'started') await act(await HostView.one(daemon.owner, event.value.sandboxId));
    if (event?.$case === 'ended') ended = event.value;
  }
  if (ended === undefined) throw new Error('the execution has no end');
  return ended;
}

/** Prints that it lives, and ends when it has slept: long enough for what happens beside it. */
const BYSTANDER = 'import time\nprint("begun", flush=True)\ntime.sleep(2)\nprint("unharmed")';

describe('an execution under gVisor', () => {
  it('sees the kernel of gVisor, and says what served it and that its limits hold', async () => {
    const result = await run('import os\nprint(os.uname().release, open("/proc/version").read())');
    expect(result.stdout.toString()).toMatch(/^4\.4\.0 Linux version 4\.4\.0 /);
    expect(result.started).toMatchObject({ isolation: Isolation.GVISOR, limitsEnforced: true });
    expect(result.usage?.peakMemorySource).toBe(PeakMemorySource.CGROUP);
    expect(result.usage?.peakMemoryBytes).toBeGreaterThan(8 * MIB);
  });

  it('runs commands', async () => {
    const result = await command('dmesg');
    expect(result.exitCode).toBe(0);
    expect(result.stdout.toString()).toContain('Starting gVisor');
  });

  it('leaves a sandbox that passes all five points of a health check', async () => {
    const { started } = await run('print(1)');
    const health = async () => {
      const { pool } = await client.pool.getPool({ poolId: started.poolId });
      return pool?.sandboxes.find(({ sandboxId }) => sandboxId === started.sandboxId)?.health;
    };
    await expect.poll(health, { interval: 200 }).toBeDefined();
    expect(await health()).toMatchObject({ healthy: true, rootReadOnly: true, message: '' });
  });

  it('finds nothing of the one before, in the same sandbox, and the receipt says how that is known', async () => {
    const first = await run(`
import os, subprocess
for place in ('/tmp', '/workspace', '/dev/shm'):
    open(place + '/planted', 'w').write('for the next one')
subprocess.Popen(['sleep', '600'], start_new_session=True)`);
    expect(first.exitCode).toBe(0);
    await atRest(first.started.sandboxId);
    const second = await run(`
import os
print([p for p in ('/tmp', '/workspace', '/dev/shm') if os.path.exists(p + '/planted')])
print([p for p in os.listdir('/proc') if p.isdigit() and b'sleep' in open(f'/proc/{p}/cmdline', 'rb').read()])`);
    expect(second.stdout.toString()).toBe('[]\n[]\n');
    expect(second.started.sandboxId).toBe(first.started.sandboxId);
    expect(second.ended.resetReceipt).toMatchObject({
      killedProcesses: 1,
      verifiedBy: [ResetVerifier.RUNNER],
    });
  });

  it('reaches no network', async () => {
    const result = await run(`
import socket
for address in ('172.17.0.1', '169.254.169.254', '10.0.0.1'):
    try:
        socket.create_connection((address, 80), timeout=5)
        print('connected')
    except OSError as error:
        print(type(error).__name__, error.errno)`);
    expect(result.stdout.toString()).toBe('OSError 113\n'.repeat(3));
  });

  it('shares its sandbox with no other tenant', async () => {
    const [mine, other] = await Promise.all([run('print(1)'), run('print(2)', neighbour)]);
    expect(mine.started.sandboxId).not.toBe(other.started.sandboxId);
  });
});

describe('a limit under gVisor', () => {
  it('is held by a cgroup that everything of gVisor is born in', async () => {
    const { started } = await run('print(1)');
    const view = await HostView.one(daemon.owner, started.sandboxId);
    expect(view.read({ controller: 'memory', file: 'memory.limit_in_bytes' }, 'memory.max')).toBe(512 * MIB);
    expect(
      view.read({ controller: 'cpu', file: 'cpu.cfs_quota_us' }, 'cpu.max') /
        view.read({ controller: 'cpu', file: 'cpu.cfs_period_us' }, 'cpu.max', /(\d+)$/m),
    ).toBe(0.5);
    expect(view.read({ controller: 'pids', file: 'pids.max' }, 'pids.max')).toBe(128 + 24 * PROCESSES);
    const ours = view.startedByShim();
    expect(ours.length).toBeGreaterThanOrEqual(2);
    for (const members of view.members()) expect(members).toEqual(expect.arrayContaining(ours));
  });

  it('of memory ends the sandbox as out of memory, and harms no neighbour', async () => {
    const bystander = run(BYSTANDER, neighbour);
    const bomb = await run('held = []\nwhile True: held.append(bytearray(16 << 20))');
    expect(bomb.reason).toBe(EndReason.OUT_OF_MEMORY);
    expect((await bystander).stdout.toString()).toBe('begun\nunharmed\n');
  });

  it('of memory is told as such from several that die at once, whatever took the memory', async () => {
    const bombs = {
      heap: 'held = []\nwhile True: held.append(bytearray(8 << 20))',
      files: `
import os
while True:
    with open(f'/proc/self/fd/{os.memfd_create("bomb")}', 'wb') as file: file.write(bytes(8 << 20))`,
      threads: `
import threading
def take():
    held = []
    while True: held.append(bytearray(1 << 20))
for _ in range(40): threading.Thread(target=take).start()`,
    };
    const explode = async ([what, code]: [string, string]): Promise<string[]> => {
      const tenant = connect({ address: daemon.address, tenant: `bomber-${what}` });
      const ends: string[] = [];
      for (let round = 0; round < 2; round++) {
        const { reason, message } = await run(code, tenant, { memoryBytes: 128 * MIB });
        ends.push(`${what}: ${EndReason[reason]}, ${message}`);
      }
      tenant.close();
      return ends;
    };
    const ends = (await Promise.all(Object.entries(bombs).map(explode))).flat();
    expect(ends.filter((end) => !/: OUT_OF_MEMORY, .*killed by its memory limit$/.test(end))).toEqual([]);
    expect(ends).toHaveLength(6);
  });

  it('of processes ends the sandbox as lost, says why, and harms no neighbour', async () => {
    const bystander = run(BYSTANDER, neighbour);
    const bomb = await run(
      'import os, time\nfor _ in range(10_000):\n  if os.fork() == 0:\n    while True: time.sleep(0.001)',
    );
    expect(bomb.reason).toBe(EndReason.SANDBOX_LOST);
    expect(bomb.ended.lostCause).toBe(LostCause.CONTAINER_DIED);
    expect(bomb.message).toContain('more processes than its limit');
    expect((await bystander).stdout.toString()).toBe('begun\nunharmed\n');
  });

  it('of CPU is not exceeded by two threads that want all there is', async () => {
    let seen: HostView | undefined;
    const code = `
import subprocess, sys
busy = 'import time\\nwhile time.process_time() < 0.3: pass'
both = [subprocess.Popen([sys.executable, '-c', busy]) for _ in range(2)]
sys.exit(max(child.wait() for child in both))`;
    const ended = await during(code, async (view) => {
      seen = view;
    });
    expect(ended).toMatchObject({ reason: EndReason.EXITED, exitCode: 0 });
    // Of the sandbox's whole life: 5 ms in each period in which it wanted to run, what it had saved, and rounding.
    const { cpuMs = 0, periods = 0 } = seen?.cpu() ?? {};
    // gVisor tells its processes of time in ticks of its own: of their 600 ms the host may have seen less.
    expect(cpuMs).toBeGreaterThan(400);
    expect(cpuMs).toBeLessThan(periods * 5 * 1.2 + 50);
  });
});

describe('a sandbox under gVisor that is killed', () => {
  it.each([
    ['by Docker', (view: HostView) => docker('kill', view.containerId)],
    ['on the host', (view: HostView) => Promise.resolve(process.kill(view.pid, 'SIGKILL'))],
  ])('%s: its execution is lost, and its cgroup goes', async (_, kill) => {
    let killed: HostView | undefined;
    const ended = await during('import time\ntime.sleep(60)', (view) => {
      killed = view;
      return kill(view);
    });
    expect(ended).toMatchObject({ reason: EndReason.SANDBOX_LOST, lostCause: LostCause.CONTAINER_DIED });
    await expect.poll(() => killed?.cgroups.filter((directory) => existsSync(directory))).toEqual([]);
  });
});
