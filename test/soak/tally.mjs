// What happened in a soak: counts by action and outcome, latencies, and what was wrong.
import { Samples } from '../bench/measure/samples.mjs';

/** More than these are counted and not told. */
const TOLD_FAILURES = 20;

export class Tally {
  /** @type {Map<string, {runs: number, outcomes: Map<string, number>, latency: Samples | undefined}>} */
  actions = new Map();
  failures = [];
  failureCount = 0;
  lost = 0;

  /** @param {number | undefined} ms latency, where it says something */
  add(action, outcomes, ms) {
    let entry = this.actions.get(action);
    if (entry === undefined) {
      entry = { runs: 0, outcomes: new Map(), latency: undefined };
      this.actions.set(action, entry);
    }
    entry.runs++;
    for (const outcome of outcomes) entry.outcomes.set(outcome, (entry.outcomes.get(outcome) ?? 0) + 1);
    if (ms !== undefined) (entry.latency ??= new Samples()).add(ms);
  }

  /** @param {string} what for people: who did what, and what was seen */
  fail(what) {
    this.failureCount++;
    if (this.failures.length < TOLD_FAILURES) this.failures.push(what);
  }

  get runs() {
    return [...this.actions.values()].reduce((sum, { runs }) => sum + runs, 0);
  }
}
