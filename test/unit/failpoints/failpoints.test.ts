import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { around } from '../../../src/failpoints/around.js';
import { Failpoints, type Failures } from '../../../src/failpoints/failpoints.js';
import { FailpointRulesError } from '../../../src/failpoints/rules.js';
import { SilentLogger } from '../../support/silent-logger.js';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-failpoints-'))));
afterEach(() => rmSync(directory, { recursive: true }));

const failures: Failures<never> = {
  refused: (message) => Promise.reject(new Error(`refused: ${message}`)),
  lost: (message) => Promise.reject(new Error(`lost: ${message}`)),
};

/** Something with state behind private fields, as the real things are. */
class Counter {
  #count = 0;
  get count(): number {
    return this.#count;
  }
  async add(by: number): Promise<number> {
    return (this.#count += by);
  }
  async clear(): Promise<void> {
    this.#count = 0;
  }
}

function counterWith(setting: string): Counter {
  const points = new Failpoints(setting, new SilentLogger());
  return around(new Counter(), { add: (call, by) => points.pass(`add(${by})`, call, failures) });
}

it('fails the call that was named, and no other', async () => {
  const counter = counterWith('add(2)=error@2;add(3)=lost');
  expect(await counter.add(2)).toBe(2);
  await expect(counter.add(2)).rejects.toThrow('refused: the failpoint add(2) says so');
  expect(counter.count).toBe(2);
  await expect(counter.add(3)).rejects.toThrow('lost');
  expect(counter.count, 'what was lost was done').toBe(5);
  expect(await counter.add(2)).toBe(7);
  await counter.clear();
  expect(counter.count).toBe(0);
});

it('reads a file anew when it changes, and counts anew then', async () => {
  const path = join(directory, 'rules');
  writeFileSync(path, '');
  const counter = counterWith(`file:${path}`);
  await counter.add(1);
  writeFileSync(path, '# case 1\nadd(1)=error@*');
  await expect(counter.add(1)).rejects.toThrow('refused');
  await expect(counter.add(1)).rejects.toThrow('refused');
  writeFileSync(path, '# case 2\n*=error@2');
  await counter.add(4);
  await expect(counter.add(1)).rejects.toThrow('refused');
  expect(counter.count).toBe(5);
  writeFileSync(path, 'nonsense');
  await expect(counter.add(1)).rejects.toThrow(FailpointRulesError);
});

it('is refused with a file that is not there', () => {
  expect(() => counterWith(`file:${directory}/none`)).toThrow(FailpointRulesError);
});
