import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunResult, StartPath } from '../../../clients/typescript/src/index.js';
import { BothSides } from './both-sides.js';
import { ending, comparable, type Ended, type FidelityProgram } from './program.js';
import { PROGRAMS } from './programs/index.js';

let both: BothSides;
const answers = new Map<FidelityProgram, Promise<[Ended, RunResult]>>();

beforeAll(async () => {
  // The plain interpreter's start is most of the time that this takes.
  both = await BothSides.start({ BERTH_SANDBOX_CPU_MILLIS: '2000' });
  // Each side goes through the whole list at its own pace; the tests below only compare.
  let before: Promise<unknown> = Promise.resolve();
  for (const program of Object.values(PROGRAMS).flatMap(Object.values<FidelityProgram>)) {
    const mine = before.then(() => both.execute(program));
    before = mine.catch(() => undefined);
    const answer = Promise.all([both.plain.run(program), mine]);
    answer.catch(() => undefined);
    answers.set(program, answer);
  }
});

afterAll(() => both.dispose());

describe.each(Object.entries(PROGRAMS))('as under plain python3: %s', (_, programs) => {
  it.each(Object.entries(programs))('%s', async (_name, program) => {
    const [expected, result] = await answers.get(program)!;
    expect(result.started.startPath).toBe(program.fresh ? StartPath.FRESH : StartPath.SPARE);
    if (program.fresh) expect(result.started.startReason).toMatch(program.fresh);
    const { stdout, stderr, exitCode, signal } = result;
    expect(comparable({ ending: ending(exitCode, signal), stdout, stderr })).toEqual(comparable(expected));
  });
});
