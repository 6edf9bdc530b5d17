import { expect, it } from 'vitest';
import { Turns } from '../../../src/lib/turns.js';

const ever = new AbortController().signal;

it('gives turns in the order in which they were wanted, to the patient when nobody else waits', async () => {
  const turns = new Turns(1);
  const came: string[] = [];
  const first = await turns.take(ever);
  const waiting = [
    ['patient', true],
    ['second', false],
    ['third', false],
  ].map(async ([name, isPatient]) => {
    const end = await turns.take(ever, isPatient as boolean);
    came.push(name as string);
    end();
  });

  first();
  await Promise.all(waiting);

  expect(came).toEqual(['second', 'third', 'patient']);
  expect(await turns.take(ever, true)).toBeTypeOf('function');
});

it('leaves no hole where a patient one gives up', async () => {
  const turns = new Turns(1);
  const first = await turns.take(ever);
  const given = new AbortController();
  const gone = turns.take(given.signal, true);
  given.abort(new Error('no longer'));
  await expect(gone).rejects.toThrow('no longer');

  first();

  (await turns.take(ever))();
});
