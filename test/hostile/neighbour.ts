import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeEnd } from './ending.js';
import type { Engine } from './engines.js';
import { collect } from '../../clients/typescript/src/run.js';
import type { BerthClient } from '../../clients/typescript/src/client.js';
import type { ExecuteEvent } from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import { deferred } from '../../src/lib/deferred.js';

const SOURCE = readFileSync(join(import.meta.dirname, 'neighbour.py'), 'utf8');
const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * Another tenant, in another sandbox, whose program runs before, while and after something hostile does, over and over, and
 * must end well with the right output every time.
 */
export class Neighbour {
  readonly #client: BerthClient;
  #rightOutput: string | undefined;

  constructor(private readonly engine: Engine) {
    this.#client = engine.as('neighbour');
  }

  /** Learns the right output while nothing else runs. */
  async settle(): Promise<void> {
    const [fault, output] = await this.#run(() => {});
    if (fault !== undefined) throw new Error(`the neighbour is unwell before anything hostile ran: ${fault}`);
    this.#rightOutput = output;
  }

  /** Begins `work` when the neighbour runs; answers when the one that ran at the end of `work` has ended, with what was wrong. */
  async during(work: () => Promise<void>): Promise<string[]> {
    const faults: string[] = [];
    const up = deferred<void>();
    let over = false;
    const neighbours = (async () => {
      // One fault tells enough; and a client that is closed would fail again at once, for ever.
      while (!over && faults.length === 0) {
        const [fault] = await this.#run(() => up.resolve());
        if (fault !== undefined) faults.push(`neighbour: ${fault}`);
        up.resolve();
      }
    })();
    await up.promise;
    try {
      await work();
    } finally {
      over = true;
      await neighbours;
    }
    return faults;
  }

  async #run(onUp: () => void): Promise<[fault: string | undefined, output: string]> {
    try {
      const events = this.#client.execute({
        ...this.engine.request,
        source: { $case: 'code', value: SOURCE },
        limits: { wallMs: 60_000 },
      });
      const result = await collect(watched(events, onUp), MAX_OUTPUT_BYTES);
      const output = result.stdout.toString();
      const end = describeEnd(result);
      if (end !== 'exited 0') return [`${end} ${result.message} ${result.stderr.toString().trim()}`, output];
      if (this.#rightOutput !== undefined && output !== this.#rightOutput)
        return [`wrong output: ${output}`, output];
      return [undefined, output];
    } catch (error) {
      return [String(error), ''];
    }
  }
}

async function* watched(events: AsyncIterable<ExecuteEvent>, onUp: () => void): AsyncGenerator<ExecuteEvent> {
  for await (const event of events) {
    if (event.event?.$case === 'output') onUp();
    yield event;
  }
}
