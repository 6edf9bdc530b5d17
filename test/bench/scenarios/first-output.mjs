// A program that prints and then sleeps: how soon its first output is seen.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { checkOutput } from '../measure/program.mjs';
import { compare, side } from '../report/finding.mjs';

/** Long enough that output which waits for the program's end would show. */
const SLEEP_S = 0.1;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureFirstOutput({ client, python, signal }) {
  const paced = (run) => async (round) => {
    await quietPool(client, signal);
    return run(sleeper(round));
  };
  const [berth, bare] = await interleaved(
    [paced((asked) => viaBerth(client, asked)), paced((asked) => viaPython(python, asked))],
    { rounds: 80, warmUp: 5, limitMs: 30_000, signal },
  );
  const what = `print(N, flush=True) and sleep ${SLEEP_S} s; the time to the first byte`;
  return [
    compare(
      'first_output.p50.vs_bare_python',
      'p50',
      side(berth, `${what}, through the TypeScript client, when a sandbox is ready`),
      side(bare, `${what} on the pipe of a python3 -c started by the same process`),
    ),
  ];
}

function sleeper(round) {
  const number = 1_000_000 + round;
  return {
    code: `import time\nprint(${number}, flush=True)\ntime.sleep(${SLEEP_S})`,
    output: `${number}\n`,
  };
}

async function viaBerth(client, { code, output }) {
  const startedMs = performance.now();
  let firstMs;
  let text = '';
  let exitCode;
  for await (const { event } of client.execute({
    language: 'python',
    source: { $case: 'code', value: code },
  })) {
    if (event?.$case === 'output') {
      firstMs ??= performance.now() - startedMs;
      text += event.value.data.toString();
    }
    if (event?.$case === 'ended') exitCode = event.value.exitCode;
  }
  checkOutput('berth', output, { output: text, exitCode });
  return firstMs;
}

async function viaPython(python, { code, output }) {
  const startedMs = performance.now();
  const child = spawn(python, ['-c', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let firstMs;
  let text = '';
  child.stdout.on('data', (chunk) => {
    firstMs ??= performance.now() - startedMs;
    text += chunk.toString();
  });
  const [exitCode] = await closed;
  checkOutput('bare python', output, { output: text, exitCode });
  return firstMs;
}
