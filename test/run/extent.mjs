// How much of the long test programs a run takes: `npm test` a fixed, named sample of each, so that it stays within its
// time; `npm run test:full` all of them. Whoever has a long list asks here, so that each run says which it was.

/** 1 in `npm run test:full` and in everything that it starts. */
export const FULL_VARIABLE = 'BERTH_TEST_FULL';

export function isFull() {
  return process.env[FULL_VARIABLE] === '1';
}

/** What this run is, for its summary. */
export function extent() {
  return isFull() ? 'the whole' : 'a sample; `npm run test:full` runs the whole';
}

/**
 * What of a list runs, in the order of the list. Prints which it is, and the sample by its names.
 *
 * @template T
 * @param {string} what the list, for people: "hostile programs"
 * @param {readonly T[]} all
 * @param {(item: T) => string} nameOf
 * @param {readonly string[]} sample names; one that is not in the list is an error, so that none is lost by renaming
 * @param {(line: string) => void} [print]
 * @returns {T[]}
 */
export function chosen(what, all, nameOf, sample, print = console.log) {
  const names = new Set(all.map(nameOf));
  const unknown = sample.filter((name) => !names.has(name));
  if (unknown.length > 0)
    throw new Error(`the sample of ${what} names ${unknown.join(', ')}: not in the list`);
  if (isFull()) {
    print(`${what}: all ${all.length}`);
    return [...all];
  }
  print(
    `${what}: a sample of ${sample.length} of ${all.length} (npm run test:full runs all): ${sample.join(', ')}`,
  );
  return all.filter((item) => sample.includes(nameOf(item)));
}

/**
 * A test that takes long and that only `npm run test:full` runs; a sample says that it leaves it out.
 *
 * @param {(name: string, run: () => Promise<void>, timeoutMs?: number) => void} it vitest's, of the file
 * @param {string} name
 * @param {() => Promise<void>} run
 * @param {number} [timeoutMs]
 */
export function onlyInFull(it, name, run, timeoutMs) {
  if (isFull()) it(name, run, timeoutMs);
  else console.log(`left out of the sample (npm run test:full runs it): ${name}`);
}
