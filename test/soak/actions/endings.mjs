// Executions that something ends: a limit, a cancel at any instant, a client that goes away, a deadline; and requests that
// come twice.
import { setTimeout as delay } from 'node:timers/promises';
import { attach, follow, Wrong } from '../follow.mjs';
import { newRequestId, placed, python } from './action.mjs';

/** Long enough to be ended in, short enough to end by itself when nobody ends it. */
const SLEEPER = 'import time\nprint("up", flush=True)\ntime.sleep(3)\nprint("done")';
const WHOLE = { ends: 'exited 0', stdout: 'up\ndone\n', stderr: '' };
const LATEST_MS = 800;

/** What became of an execution whose client has gone: cancelled, at whatever instant, or never begun. */
const CANCELLED = {
  ends: [
    'cancelled: disconnected',
    'cancelled: requested',
    'cancelled: deadline',
    'call: cancelled (CANCELLED)',
  ],
  stdout: /^(up\n)?$/,
};

/**
 * Asks for the same request again: the first answer is told once more. When the first request never arrived, the second one is
 * the first, and runs to its own end.
 */
async function askedAgain(client, request) {
  const seen = await follow(client, request);
  const isFirst = seen.started !== undefined && !seen.started.replayed;
  return { seen, wanted: isFirst ? WHOLE : CANCELLED };
}

/** @type {import('./action.mjs').Action[]} */
export const ENDINGS = [
  {
    name: 'wall limit',
    weight: 3,
    timed: false,
    async run(context) {
      const wallMs = context.random.int(100, 600);
      const request = { ...python('print("up", flush=True)\nwhile True: pass'), limits: { wallMs } };
      const seen = await follow(context.client, placed(request, context));
      // A loaded machine may not get as far as the first line within the limit.
      return [{ seen, wanted: { ends: 'wall timeout', stdout: /^(up\n)?$/ } }];
    },
  },
  {
    name: 'CPU limit',
    weight: 2,
    timed: false,
    async run(context) {
      const request = {
        ...python('print("up", flush=True)\nwhile True: pass'),
        limits: { cpuMs: 200, wallMs: 20_000 },
      };
      const seen = await follow(context.client, placed(request, context));
      return [{ seen, wanted: { ends: 'cpu timeout', stdout: 'up\n' } }];
    },
  },
  {
    name: 'call cancelled',
    weight: 6,
    timed: false,
    async run(context) {
      const request = { ...placed(python(SLEEPER), context), requestId: newRequestId() };
      const signal = AbortSignal.timeout(context.random.int(0, LATEST_MS));
      const first = await follow(context.client, request, { signal });
      const again = await askedAgain(context.client, request);
      return [{ seen: first, wanted: { ends: /^call: cancelled/ } }, again];
    },
  },
  {
    name: 'client disconnects',
    weight: 6,
    timed: false,
    async run(context) {
      const request = { ...placed(python(SLEEPER), context), requestId: newRequestId() };
      const connection = await context.connect();
      const timer = setTimeout(() => connection.break(), context.random.int(0, LATEST_MS));
      const first = await follow(connection.client, request);
      clearTimeout(timer);
      connection.close();
      const again = await askedAgain(context.client, request);
      return [{ seen: first, wanted: { ends: /^call: unavailable/ } }, again];
    },
  },
  {
    name: 'disconnects, runs on',
    weight: 4,
    timed: false,
    async run(context) {
      const request = {
        ...placed(python(SLEEPER), context),
        requestId: newRequestId(),
        cancelOnDisconnect: false,
      };
      const signal = AbortSignal.timeout(context.random.int(0, LATEST_MS));
      const first = await follow(context.client, request, { signal });
      const again = await follow(context.client, request);
      return [
        { seen: first, wanted: { ends: /^call: cancelled/ } },
        { seen: again, wanted: WHOLE },
      ];
    },
  },
  {
    name: 'deadline passes',
    weight: 5,
    timed: false,
    async run(context) {
      const request = { ...placed(python(SLEEPER), context), requestId: newRequestId() };
      const first = await follow(context.client, request, { timeoutMs: context.random.int(5, LATEST_MS) });
      const again = await askedAgain(context.client, request);
      return [{ seen: first, wanted: { ends: /^call: deadline exceeded/ } }, again];
    },
  },
  {
    name: 'request_id again',
    weight: 5,
    async run(context) {
      const code = 'import os\nprint(os.urandom(16).hex())';
      const request = { ...placed(python(code), context), requestId: newRequestId() };
      const both = context.random.chance(0.5)
        ? await Promise.all([follow(context.client, request), follow(context.client, request)])
        : [await follow(context.client, request), await follow(context.client, request)];
      mustBeOneExecution(both);
      const other = await follow(context.client, { ...request, ...python('print(2)') });
      return [
        ...both.map((seen) => ({ seen, wanted: { ends: 'exited 0', stdout: /^[0-9a-f]{32}\n$/ } })),
        { seen: other, wanted: { ends: 'call: already exists (REQUEST_ID_REUSED)' } },
      ];
    },
  },
  {
    name: 'CancelExecution',
    weight: 5,
    needs: 'cancelExecution',
    timed: false,
    async run(context) {
      const { client, random } = context;
      const afterMs = random.int(0, LATEST_MS);
      const graceMs = random.pick([0, 0, 200]);
      let cancel;
      const seen = await follow(client, placed(python(SLEEPER), context), {}, ({ event }) => {
        if (event.$case !== 'started') return;
        const { executionId } = event.value;
        cancel = delay(afterMs).then(() => client.sandbox.cancelExecution({ executionId, graceMs }));
        cancel.catch(() => {});
      });
      const answer = (await cancel)?.execution;
      if (answer !== undefined && answer.ended?.reason !== seen.ended?.reason)
        throw new Wrong(
          `CancelExecution answered ${JSON.stringify(answer.ended)} and the stream ${JSON.stringify(seen.ended)}`,
        );
      return [{ seen, wanted: { ends: 'cancelled: requested', stdout: /^(up\n)?$/ } }];
    },
  },
  {
    name: 'AttachExecution',
    weight: 5,
    needs: 'attachExecution',
    timed: false,
    async run(context) {
      const { client, random } = context;
      const lines = random.int(20, 200);
      const code = `import time
for i in range(${lines}):
    print(i, "x" * 1000, flush=True)
    if i % 10 == 0: time.sleep(0.02)`;
      const expected = Array.from({ length: lines }, (_, i) => `${i} ${'x'.repeat(1000)}\n`).join('');
      const leaveAfter = random.int(1, 20);
      const request = { ...placed(python(code), context), cancelOnDisconnect: false };
      const first = await follow(client, request, {}, (_, { lastSeq }) =>
        lastSeq >= leaveAfter ? 'leave' : undefined,
      );
      if (first.ended !== undefined || first.started === undefined)
        return [{ seen: first, wanted: { ends: 'exited 0', output: { bytes: expected.length } } }];
      const { executionId } = first.started;
      const [rest, whole] = await Promise.all([
        attach(client, executionId, first.lastSeq),
        attach(client, executionId, 0),
      ]);
      // The sandbox is told by the first event only.
      rest.started ??= first.started;
      // However it ended, which is judged below: who left and came back has had as much as who had all of it.
      const got = first.stdout.bytes + rest.stdout.bytes;
      if (
        rest.ended !== undefined &&
        !rest.ended.truncated &&
        whole.ended !== undefined &&
        got !== whole.stdout.bytes
      )
        throw new Wrong(
          `before and after the attach came ${got} bytes, and in one piece ${whole.stdout.bytes}`,
        );
      return [
        { seen: whole, wanted: { ends: 'exited 0', output: { bytes: expected.length } } },
        { seen: rest, wanted: { ends: 'exited 0' } },
      ];
    },
  },
];

function mustBeOneExecution([first, second]) {
  if (first.started === undefined || second.started === undefined) return;
  if (first.started.executionId !== second.started.executionId)
    throw new Wrong(
      `one request_id ran twice: ${first.started.executionId} and ${second.started.executionId}`,
    );
  if (first.stdout.text !== second.stdout.text || first.ended?.reason !== second.ended?.reason)
    throw new Wrong(`the second answer to a request_id is not the first: ${first.started.executionId}`);
}
