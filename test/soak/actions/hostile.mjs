// What hostile users do. The full directory of such programs has tests of its own; here a few are among the load.
import { setTimeout as delay } from 'node:timers/promises';
import { Isolation } from '../../../dist/clients/typescript/src/index.js';
import { follow } from '../follow.mjs';
import { placed, python } from './action.mjs';

const MIB = 1024 * 1024;

const hostile = (name, weight, code, limits, wanted, { onEvent, underGvisor = wanted } = {}) => ({
  name,
  weight,
  timed: false,
  async run(context) {
    const request = placed({ ...python(code), limits }, context);
    const seen = await follow(context.client, request, {}, onEvent);
    return [{ seen, wanted: request.isolation === Isolation.GVISOR ? underGvisor : wanted }];
  },
});

/** @type {import('./action.mjs').Action[]} */
export const HOSTILE = [
  hostile(
    'fork bomb',
    2,
    `import os
print("bomb", flush=True)
while True:
    try: os.fork()
    except OSError: pass`,
    { wallMs: 1_000 },
    { ends: ['wall timeout', 'out of memory'], stdout: 'bomb\n' },
  ),
  hostile(
    'memory bomb',
    2,
    `print("bomb", flush=True)
held = []
while True: held.append(bytearray(8 << 20))`,
    { memoryBytes: 128 * MIB, wallMs: 20_000 },
    { ends: 'out of memory', stdout: 'bomb\n' },
  ),
  hostile(
    'tmpfs bomb',
    1,
    `try:
    with open("/tmp/bomb", "wb") as file:
        while True: file.write(b"x" * (1 << 20))
except OSError as error: print(error.strerror)`,
    { wallMs: 20_000 },
    { ends: 'exited 0', stdout: 'No space left on device\n' },
  ),
  hostile(
    'output flood',
    2,
    `import os
while True: os.write(1, b"x" * 65536)`,
    { outputBytes: MIB },
    { ends: 'output limit', output: { bytes: MIB } },
    // Not even read fast.
    { onEvent: () => delay(5) },
  ),
  hostile(
    'flood of one-byte writes',
    1,
    `import os
while True: os.write(1, b"x")`,
    { outputBytes: 20_000 },
    { ends: 'output limit', output: { bytes: 20_000 } },
  ),
  hostile(
    'daemonised child',
    2,
    `import os, time
print("parent", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(600)
    os._exit(0)
os.wait()`,
    {},
    { ends: 'exited 0', stdout: 'parent\n' },
  ),
  hostile(
    'TERM ignored',
    2,
    `import signal, time
for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(each, signal.SIG_IGN)
print("deaf", flush=True)
while True: time.sleep(60)`,
    { wallMs: 700 },
    { ends: 'wall timeout', stdout: 'deaf\n' },
  ),
  hostile(
    'kill -9 -1',
    1,
    'import os\nprint("all", flush=True)\nos.kill(-1, 9)',
    {},
    { ends: ['signalled SIGKILL', 'exited 0'], stdout: 'all\n' },
    // Its kernel counts only those that may be signalled: no such process.
    { underGvisor: { ends: ['exited 1', 'exited 0'], stdout: 'all\n' } },
  ),
];
