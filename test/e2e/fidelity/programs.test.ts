import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connect,
  type BerthClient,
  type RunResult,
  StartPath,
} from '../../../clients/typescript/src/index.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { ownedBy } from '../../support/docker-cli.js';
import { ending, comparable, type Ended, type FidelityProgram } from './program.js';
import { PROGRAMS } from './programs/index.js';
import { PlainPython } from './reference/plain-python.js';

const SANDBOX = {
  BERTH_POOL_MIN: '1',
  // The plain interpreter's start is most of the time that this takes.
  BERTH_SANDBOX_CPU_MILLIS: '2000',
};

let daemon: TestDaemon;
let client: BerthClient;
let plain: PlainPython;
const answers = new Map<FidelityProgram, Promise<[Ended, RunResult]>>();

beforeAll(async () => {
  daemon = await startDaemon({ env: SANDBOX });
  client = connect({ address: daemon.address });
  const { started } = await client.run({ language: 'python', source: { $case: 'code', value: 'pass' } });
  plain = await PlainPython.like(`berth-${started.sandboxId}`);
  // Both sides go through the whole list at their own pace; the tests below only compare.
  let before: Promise<unknown> = Promise.resolve();
  for (const program of Object.values(PROGRAMS).flatMap(Object.values<FidelityProgram>)) {
    const mine = before.then(() => execute(program));
    before = mine.catch(() => undefined);
    const both = Promise.all([plain.run(program), mine]);
    both.catch(() => undefined);
    answers.set(program, both);
  }
});

afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  client.close();
  expect(await daemon.stop()).toBe(0);
  expect(await ownedBy(daemon.owner)).toEqual([]);
  await daemon.dispose();
});

function execute(program: FidelityProgram): Promise<RunResult> {
  return client.run({
    language: 'python',
    source: program.code === undefined ? undefined : { $case: 'code', value: program.code },
    files: Object.entries(program.files ?? {}).map(([path, content]) => ({
      path,
      content: Buffer.from(content),
    })),
    entry: program.entry,
    args: program.args,
    env: program.env,
    cwd: program.cwd,
    stdin: program.stdin === undefined ? undefined : Buffer.from(program.stdin),
  });
}

describe.each(Object.entries(PROGRAMS))('as under plain python3: %s', (_, programs) => {
  it.each(Object.entries(programs))('%s', async (_name, program) => {
    const [expected, result] = await answers.get(program)!;
    expect(result.started.startPath).toBe(program.fresh ? StartPath.FRESH : StartPath.SPARE);
    if (program.fresh) expect(result.started.startReason).toMatch(program.fresh);
    const { stdout, stderr, exitCode, signal } = result;
    expect(comparable({ ending: ending(exitCode, signal), stdout, stderr })).toEqual(comparable(expected));
  });
});
