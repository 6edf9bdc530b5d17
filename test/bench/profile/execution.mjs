// `npm run bench -- --profile`: where the time of one execution goes, as far as it shows from outside: at what time its
// events reach the client, what berthd and the runner say of themselves, and what CPU each process took for it.
import { readFileSync } from 'node:fs';
import { connect } from '../../../dist/clients/typescript/src/index.js';
import { say, step } from '../../../src/cli/setup/progress.mjs';
import { quietPool } from '../measure/pool.mjs';
import { checkOutput, program } from '../measure/program.mjs';
import { Samples } from '../measure/samples.mjs';
import { runBare } from '../peers/bare-python.mjs';
import { cpuOf, cpuOfEndedChildrenMs, sandboxesOf } from './cpu.mjs';

const EXECUTIONS = 200;
const CLIENTS = 10;
const WARM_UP = 30;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function profileExecution(bench) {
  const { client, python, signal } = bench;
  const times = new Times();
  await step(`profile ${EXECUTIONS} executions, one at a time`, async () => {
    for (let round = -WARM_UP; round < EXECUTIONS; round++) {
      signal.throwIfAborted();
      await quietPool(client, signal);
      const seen = await observe(client, round);
      await quietPool(client, signal);
      const pingMs = await ping(client);
      const bareMs = await runBare(python, round);
      if (round >= 0) times.add({ ...seen, pingMs, bareMs });
    }
  });
  const inARow = await step('CPU time of as many in a row', () =>
    cpuOfEach(bench, async () => {
      for (let round = 0; round < EXECUTIONS; round++) await observe(client, round);
      return EXECUTIONS;
    }),
  );
  const atOnce = await step(`CPU time of ${CLIENTS} clients at once`, () => ofManyClients(bench));
  const bareCpuMs = await step('CPU time of as many bare interpreters', async () => {
    const before = cpuOfEndedChildrenMs();
    for (let round = 0; round < EXECUTIONS; round++) await runBare(python, round);
    return (cpuOfEndedChildrenMs() - before) / EXECUTIONS;
  });
  print(times, inARow, atOnce, bareCpuMs);
}

/** The same sandboxes must live before and after the work: a first round makes the pool as large as it will be. */
async function ofManyClients(bench) {
  const clients = Array.from({ length: CLIENTS }, () => connect({ address: bench.berthd.grpcAddress }));
  const work = async () => {
    await Promise.all(
      clients.map(async (client, index) => {
        for (let round = 0; round < EXECUTIONS / CLIENTS; round++)
          await observe(client, index * EXECUTIONS + round);
      }),
    );
    return EXECUTIONS;
  };
  try {
    await work();
    await quietPool(bench.client, bench.signal);
    return await cpuOfEach(bench, work);
  } finally {
    for (const client of clients) client.close();
  }
}

/** @param {() => Promise<number>} work resolves to how many executions it was */
async function cpuOfEach(bench, work) {
  // The pool replaces a sandbox that a tenant takes: that is over before the counting begins.
  await observe(bench.client, 0);
  await quietPool(bench.client, bench.signal);
  const sandboxes = await sandboxesOf(bench);
  const before = await cpuOf(bench, sandboxes);
  const count = await work();
  await quietPool(bench.client, bench.signal);
  const after = await cpuOf(bench, sandboxes);
  return new Map(Object.keys(after).map((name) => [name, (after[name] - before[name]) / count]));
}

/** One execution with the time at which each of its events reached this process, in milliseconds from the call. */
async function observe(client, round) {
  const { code, output } = program(round);
  const seen = {};
  let text = '';
  const startedMs = performance.now();
  const since = () => performance.now() - startedMs;
  for await (const { event } of client.execute({
    language: 'python',
    source: { $case: 'code', value: code },
  })) {
    switch (event?.$case) {
      case 'started':
        seen.startedMs = since();
        seen.acquireMs = event.value.acquireMs;
        break;
      case 'output':
        seen.outputMs ??= since();
        text += event.value.data.toString();
        break;
      case 'ended':
        seen.exitCode = event.value.exitCode;
        seen.runnerMs = event.value.usage.wallMs;
        seen.programCpuMs = event.value.usage.userCpuMs + event.value.usage.systemCpuMs;
        seen.resetMs = event.value.resetReceipt?.tookMs;
        break;
    }
  }
  seen.wholeMs = since();
  checkOutput('berth', output, { output: text, exitCode: seen.exitCode });
  // Everything that is not the runner's: client, gRPC, berthd, worker hop, Docker's stream, both ways.
  seen.aroundMs = seen.wholeMs - seen.runnerMs;
  return seen;
}

/** A unary call that does nothing: what gRPC itself costs here. */
function ping(client) {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    client.generated.pool.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      () => Buffer.alloc(0),
      (bytes) => bytes,
      {},
      (error) => (error ? reject(error) : resolve(performance.now() - startedMs)),
    );
  });
}

const LINES = [
  ['bareMs', 'bare python, for comparison'],
  ['wholeMs', 'whole execution, from the call to its terminal event'],
  ['startedMs', '  STARTED reached the client after'],
  ['outputMs', '  the first output after'],
  ['runnerMs', "of it in the sandbox, from the runner's START to the program's end (usage.wall)"],
  ['aroundMs', 'of it around: client, gRPC, berthd, worker hop, Docker stream, both ways'],
  ['pingMs', '  a unary gRPC call that does nothing'],
  ['acquireMs', '  finding a sandbox (acquire_ms)'],
  ['programCpuMs', 'CPU time of the program, as reported'],
  ['resetMs', 'behind it: the reset, with the next spare'],
];

class Times {
  #samples = new Map(LINES.map(([key]) => [key, new Samples()]));

  add(seen) {
    for (const [key, samples] of this.#samples) if (seen[key] !== undefined) samples.add(seen[key]);
  }

  of(key) {
    return this.#samples.get(key);
  }
}

function print(times, inARow, atOnce, bareCpuMs) {
  say(`\n${'milliseconds'.padEnd(84)}${'p50'.padStart(8)}${'p95'.padStart(8)}`);
  for (const [key, text] of LINES) {
    const samples = times.of(key);
    if (samples.count > 0)
      say(`${text.padEnd(84)}${samples.p50.toFixed(2).padStart(8)}${samples.p95.toFixed(2).padStart(8)}`);
  }
  const line = (name, one, many) =>
    say(`${name.padEnd(84)}${one.toFixed(2).padStart(8)}${many.toFixed(2).padStart(8)}`);
  const all = (cpu) => [...cpu.values()].reduce((total, value) => total + value, 0);
  say(`\n${'CPU milliseconds for each execution, resets included'.padEnd(84)}   1 by 1 ${CLIENTS} at once`);
  for (const [name, ms] of inARow) line(name, ms, atOnce.get(name));
  line('all of them', all(inARow), all(atOnce));
  line('bare python, for comparison', bareCpuMs, bareCpuMs);
  say(`\nThese are figures of this machine (load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}).`);
}
