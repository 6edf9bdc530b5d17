import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chosen } from '../run/extent.mjs';
import { ownedBy } from '../support/docker-cli.js';
import { PROGRAMS, startEngine, type Engine, type Unavailable } from './engines.js';
import { OutcomeTable } from './outcome-table.js';
import { loadPrograms, type EngineName } from './program.js';
import { SAMPLE } from './sample.js';
import { Trials } from './trial.js';

const ENGINES: readonly EngineName[] = ['runc', 'gvisor', 'local'];

const programs = chosen('hostile programs', loadPrograms(PROGRAMS), ({ name }) => name, SAMPLE);
const table = new OutcomeTable();
const notes: string[] = [];

afterAll(() => console.log(`\n${table.print(ENGINES, notes)}\n`));

describe.each(ENGINES)('hostile programs on %s', (name) => {
  let engine: Engine | Unavailable;
  let trials: Trials;

  beforeAll(async () => {
    engine = await startEngine(name);
    if ('unavailable' in engine) {
      notes.push(`${name} was not tried: ${engine.unavailable}`);
      return;
    }
    if (engine.runtime !== undefined && engine.runtime !== name)
      notes.push(`${name} was ${engine.runtime}, which sandboxes use here in its place`);
    trials = new Trials(engine);
    await trials.settle();
  });

  afterAll(async () => {
    if (engine === undefined || 'unavailable' in engine) return;
    await engine[Symbol.asyncDispose]();
    expect(await ownedBy(engine.daemon.owner)).toEqual([]);
  });

  for (const program of programs) {
    test(`${program.name}: ${program.tries}`, async ({ skip }) => {
      const { pointless } = program.on(name);
      const reason = 'unavailable' in engine ? 'not tried' : pointless && `means nothing here: ${pointless}`;
      if (reason !== undefined) {
        table.record(program, name, reason);
        return skip(reason);
      }
      const { faults, replaced } = await trials.run(program);
      const held = replaced === undefined ? 'held' : 'held, new sandbox';
      if (replaced !== undefined)
        notes.push(`${name} ${program.name}: its sandbox was replaced: ${replaced}`);
      table.record(program, name, faults.length === 0 ? held : 'BROKE');
      if (faults.length > 0) throw new Error(faults.join('\n'));
    });
  }
});
