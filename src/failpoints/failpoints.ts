import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.js';
import { FailpointRulesError, parseFailpointRules, type FailpointRule } from './rules.js';

/** How the failure of a call looks where the failpoint is: as what would be thrown there if the thing itself failed. */
export interface Failures<T> {
  /** The call was refused and nothing was done. */
  refused(message: string): Promise<T>;
  /** The call was made, and nobody knows what came of it. */
  lost(message: string): Promise<T>;
}

const FILE = 'file:';

/**
 * Places at which a test makes a call fail, wait, or kill berthd. For tests only: `daemon.ts` puts them between the env
 * domain and its store, Docker and MySQL when `BERTH_FAILPOINTS` is set, and otherwise they are nowhere.
 *
 * The variable holds rules (see `parseFailpointRules`), or `file:PATH` of a file with rules that is read at each passing,
 * so that one berthd serves many cases: whenever its text changes, counting begins anew (and `failpoints_read` is logged
 * with it, behind all that came of the rules before). Every passing is logged as
 * `failpoint_passed` with its name and count, so that a test finds out where an operation comes by instead of naming it.
 */
export class Failpoints {
  readonly #path: string | undefined;
  #text: string;
  #rules: readonly FailpointRule[];
  /** Passings by name since the rules changed; `*`: all. */
  readonly #passed = new Map<string, number>();

  /** @throws FailpointRulesError, also when the file cannot be read */
  constructor(
    setting: string,
    private readonly logger: Logger,
  ) {
    this.#path = setting.startsWith(FILE) ? setting.slice(FILE.length) : undefined;
    this.#text = this.#path === undefined ? setting : textOf(this.#path);
    this.#rules = parseFailpointRules(this.#text);
    logger.warn(
      { event: 'failpoints_on', setting },
      'FAILPOINTS ARE ON: this berthd fails on purpose, which only a test wants; unset BERTH_FAILPOINTS',
    );
  }

  /** Makes the call, or what the rules say of it instead. @throws FailpointRulesError when the file has become nonsense */
  async pass<T>(name: string, call: () => Promise<T>, failures: Failures<T>): Promise<T> {
    const rule = this.#next(name);
    if (!rule) return await call();
    const { action } = rule;
    this.logger.warn({ event: 'failpoint_struck', name, action: action.kind }, 'a failpoint struck');
    const said = `the failpoint ${name} says so`;
    switch (action.kind) {
      case 'error':
        return await failures.refused(said);
      case 'lost':
        await call();
        return await failures.lost(said);
      case 'delay':
        await sleep(action.ms);
        return await call();
      case 'kill': {
        if (action.when === 'after') await call();
        process.kill(process.pid, 'SIGKILL');
        // The signal may reach this thread a moment later: nothing more is done by then.
        return await new Promise<never>(() => {});
      }
    }
  }

  #next(name: string): FailpointRule | undefined {
    if (this.#path !== undefined) this.#read(this.#path);
    const nth = this.#count(name);
    const ofAll = this.#count('*');
    this.logger.info({ event: 'failpoint_passed', name, nth }, 'a failpoint was passed');
    return this.#rules.find(
      (rule) =>
        (rule.name === name && (rule.nth === 'every' || rule.nth === nth)) ||
        (rule.name === '*' && (rule.nth === 'every' || rule.nth === ofAll)),
    );
  }

  #read(path: string): void {
    const text = textOf(path);
    if (text === this.#text) return;
    this.#rules = parseFailpointRules(text);
    this.#text = text;
    this.#passed.clear();
    this.logger.info({ event: 'failpoints_read', text }, 'the rules of the failpoints were read');
  }

  #count(name: string): number {
    const nth = (this.#passed.get(name) ?? 0) + 1;
    this.#passed.set(name, nth);
    return nth;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new FailpointRulesError([`${path} cannot be read: ${String(error)}`]);
  }
}
