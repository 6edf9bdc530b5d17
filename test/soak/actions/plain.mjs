// What well-behaved users do: print, read files and standard input, run commands, write a lot, fail in ordinary ways.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { follow } from '../follow.mjs';
import { command, placed, python } from './action.mjs';

const MIB = 1024 * 1024;

/** What is seen by a program that begins: nothing of anybody before. Its own file and process are all there is. */
const PRISTINE = `import os
def names(path): return sorted(os.listdir(path))
def others():
    mine = os.getuid()
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                if os.stat("/proc/" + pid).st_uid == mine: yield pid
            except OSError: pass
print(names("/workspace"), names("/tmp"), names("/dev/shm"), list(others()))
for path in ("/workspace/.left", "/tmp/left", "/dev/shm/left"): open(path, "w").write("x" * 4096)
os.makedirs("/tmp/a/b/c"); os.chmod("/tmp/a/b", 0)`;

/** @type {import('./action.mjs').Action[]} */
export const PLAIN = [
  {
    name: 'print',
    weight: 30,
    async run(context) {
      const number = context.random.int(0, 2 ** 32);
      const seen = await follow(context.client, placed(python(`print(${number}, ${number} % 97)`), context));
      return [{ seen, wanted: { ends: 'exited 0', stdout: `${number} ${number % 97}\n`, stderr: '' } }];
    },
  },
  {
    name: 'pristine place',
    weight: 8,
    async run(context) {
      const seen = await follow(context.client, placed(python(PRISTINE), context));
      return [{ seen, wanted: { ends: 'exited 0', stdout: "['main.py'] [] [] []\n", stderr: '' } }];
    },
  },
  {
    name: 'files and stdin',
    weight: 8,
    async run(context) {
      const { random } = context;
      const files = Array.from({ length: random.int(1, 8) }, (_, i) => ({
        path: `data/${i}.bin`,
        content: random.bytes(random.int(0, 20_000)),
      }));
      const stdin = random.bytes(random.int(0, 200_000));
      const word = `w${random.int(0, 1e9)}`;
      const hash = createHash('sha256');
      for (const { content } of files) hash.update(content);
      const expected = hash.update(stdin).update(word).digest('hex');
      const code = `import hashlib, os, sys
h = hashlib.sha256()
for i in range(${files.length}): h.update(open(f"data/{i}.bin", "rb").read())
h.update(sys.stdin.buffer.read())
h.update(os.environ["WORD"].encode())
print(h.hexdigest(), sys.argv[1:])`;
      const request = { ...python(code), files, stdin, env: { WORD: word }, args: ['a b', word] };
      const seen = await follow(context.client, placed(request, context));
      const stdout = `${expected} ['a b', '${word}']\n`;
      return [{ seen, wanted: { ends: 'exited 0', stdout, stderr: '' } }];
    },
  },
  {
    name: 'command',
    weight: 6,
    async run(context) {
      const code = context.random.pick([0, 1, 42, 255]);
      const request = command('sh', '-c', `printf '%s' "$1"; exit ${code}`, 'sh', `<${code}>`);
      const seen = await follow(context.client, placed(request, context));
      return [{ seen, wanted: { ends: `exited ${code}`, stdout: `<${code}>`, stderr: '' } }];
    },
  },
  {
    name: 'command not found',
    weight: 2,
    async run(context) {
      const seen = await follow(context.client, placed(command('no-such-program'), context));
      return [{ seen, wanted: { ends: 'start failed', stdout: '' } }];
    },
  },
  {
    name: 'failing program',
    weight: 8,
    async run(context) {
      const { code, wanted } = context.random.pick(FAILURES);
      const seen = await follow(context.client, placed(python(code), context));
      return [{ seen, wanted: { stdout: 'before\n', ...wanted } }];
    },
  },
  {
    name: 'MiB, slow reader',
    weight: 5,
    timed: false,
    async run(context) {
      const { random } = context;
      const bytes = random.int(MIB, 6 * MIB);
      const seed = random.int(0, 255);
      const pauses = random.int(2, 10);
      const pauseMs = random.int(20, 200);
      let paused = 0;
      const code = `import sys
line = bytes((i * 31 + ${seed}) % 256 for i in range(4096))
left = ${bytes}
while left > 0:
    left -= sys.stdout.buffer.write(line[:min(left, 4096)])`;
      const request = placed(python(code), context);
      const seen = await follow(context.client, request, {}, async ({ event }) => {
        if (event.$case === 'output' && paused++ < pauses) await delay(pauseMs);
      });
      return [{ seen, wanted: { ends: 'exited 0', output: { bytes, sha256: patternHash(bytes, seed) } } }];
    },
  },
];

const FAILURES = [
  { code: 'import sys\nprint("before")\nsys.exit(7)', wanted: { ends: 'exited 7', stderr: '' } },
  {
    code: 'print("before", flush=True)\n\nraise KeyError("gone")',
    wanted: { ends: 'exited 1', stderr: /File "[^"]*main\.py", line 3.*KeyError: 'gone'\n$/s },
  },
  { code: 'import os\nprint("before", flush=True)\nos.abort()', wanted: { ends: 'signalled SIGABRT' } },
  {
    code: 'import os, signal\nprint("before", flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)',
    wanted: { ends: 'signalled SIGSEGV' },
  },
  {
    code: 'print("before", flush=True)\nx = input()',
    wanted: { ends: 'exited 1', stderr: /EOFError/ },
  },
  {
    code: 'import os\nprint("before", flush=True)\nos._exit(9)',
    wanted: { ends: 'exited 9', stderr: '' },
  },
];

function patternHash(bytes, seed) {
  const line = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 31 + seed) % 256));
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= line.length)
    hash.update(line.subarray(0, Math.min(left, line.length)));
  return hash.digest('hex');
}
