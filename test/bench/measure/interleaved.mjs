// Measures two sides in turn, so that whatever this machine does meanwhile happens to both.
import { SetupError } from '../../../src/cli/setup/host.mjs';
import { Samples } from './samples.mjs';

const FEWEST_ROUNDS = 3;

/** So few measurements came about that they would say nothing. */
export class TooBusy extends SetupError {
  name = 'TooBusy';
}

/**
 * One round is one call of each side, in order. Warm-up rounds are not counted. Ends after `rounds`, or when `limitMs` is
 * over, and then with fewer samples.
 *
 * @param {((round: number) => Promise<number | number[]>)[]} sides each resolves to what it measured, in milliseconds
 * @param {{rounds: number, warmUp: number, limitMs: number, signal: AbortSignal}} how
 * @returns {Promise<Samples[]>} one for each side
 */
export async function interleaved(sides, { rounds, warmUp, limitMs, signal }) {
  for (let round = 0; round < warmUp; round++) await once(sides, -1 - round, signal, () => {});
  const samples = sides.map(() => new Samples());
  const deadline = performance.now() + limitMs;
  let done = 0;
  for (; done < rounds && performance.now() < deadline; done++) {
    await once(sides, done, signal, (side, values) => values.forEach((value) => samples[side].add(value)));
  }
  if (done < Math.min(rounds, FEWEST_ROUNDS)) {
    throw new TooBusy(
      `Only ${done} rounds of measurements fit into ${limitMs} ms: this machine is too busy.`,
    );
  }
  return samples;
}

async function once(sides, round, signal, take) {
  for (const [index, side] of sides.entries()) {
    signal.throwIfAborted();
    const measured = await side(round);
    take(index, Array.isArray(measured) ? measured : [measured]);
  }
}

/** @returns {Promise<{ms: number, result: T}>} @template T @param {() => Promise<T>} work */
export async function timed(work) {
  const startedMs = performance.now();
  const result = await work();
  return { ms: performance.now() - startedMs, result };
}
