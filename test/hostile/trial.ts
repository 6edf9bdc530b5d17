import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { BerthClient } from '../../clients/typescript/src/client.js';
import type { ResetReceipt } from '../../clients/typescript/src/gen/berth/v1/common.js';
import {
  ExecuteRequest,
  type ExecuteResponse,
} from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import { collect, executionEvents, type RunResult } from '../../clients/typescript/src/run.js';
import { describeEnd } from './ending.js';
import type { Engine } from './engines.js';
import type { LogLine } from '../support/daemon.js';
import { backAt, steadyHostState, type HostState } from './host-state.js';
import { Neighbour } from './neighbour.js';
import type { EngineName, Expectation, HostileProgram } from './program.js';

const read = (file: string): Buffer => readFileSync(join(import.meta.dirname, file));
const KIT = read('kit.py');
const SNAPSHOT = read('snapshot.py').toString();
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** A spare's own start is in its CPU time and not in its wall time. */
const USAGE_SLACK_MS = 500;
const MOST_LINES_SHOWN = 12;

/** What one run of a program gave; `result` is undefined where the client left. */
interface Outcome {
  sandboxId: string;
  result: RunResult | undefined;
}

/** What the program of a look at the place told. */
interface Look {
  lines: string[];
  receipt: ResetReceipt | undefined;
  sandboxId: string;
}

/** What came of a program. */
export interface Verdict {
  /** What was not as it must be, for people; nothing when the program was held. */
  faults: string[];
  /**
   * Why the next execution was served by another sandbox, for people; undefined when it was the same one, reset, and on an
   * engine where every execution has a sandbox of its own.
   */
  replaced: string | undefined;
}

/** Runs hostile programs on one engine, one after the other as the same tenant, each with all that must hold afterwards. */
export class Trials {
  readonly #mallory: BerthClient;
  readonly #neighbour: Neighbour;
  #pristine: string[] = [];
  #baseline: HostState | undefined;

  constructor(private readonly engine: Engine) {
    this.#mallory = engine.as('mallory');
    this.#neighbour = new Neighbour(engine);
  }

  /** What is right: how a sandbox that nobody has used looks, what the neighbour prints, and what the host holds. */
  async settle(): Promise<void> {
    await this.#neighbour.settle();
    // The first execution of a tenant is in a sandbox that no execution was in before.
    const first = await this.#snapshot('');
    if (first.receipt !== undefined) throw new Error('the sandbox for the first look was used before');
    this.#pristine = first.lines;
    this.#baseline = await steadyHostState(this.engine);
  }

  /** Runs a program with all that must hold afterwards. */
  async run(program: HostileProgram): Promise<Verdict> {
    const mark = `mark-${randomBytes(8).toString('hex')}`;
    let outcome: Outcome | undefined;
    const faults = await this.#neighbour.during(async () => {
      outcome = await this.#attack(program, mark);
    });
    if (outcome?.result !== undefined) {
      faults.push(...unexpected(program.on(this.engine.name), outcome.result, this.engine.name));
    }
    const next = await this.#next(mark);
    faults.push(...next.faults, ...(await backAt(this.#baseline!, this.engine)));
    const isSame = next.sandboxId === outcome?.sandboxId;
    return { faults, replaced: isSame ? undefined : this.#whyReplaced(outcome?.sandboxId ?? '') };
  }

  /** Undefined where an execution takes its sandbox along whatever it does: so it is with the local engine. */
  #whyReplaced(sandboxId: string): string | undefined {
    const gone = this.engine.daemon.log.find(
      (line) => line.event === 'sandbox_destroyed' && line['sandbox'] === sandboxId,
    );
    if (gone?.['cause'] === 'single_use') return undefined;
    return [gone?.['cause'] ?? 'unknown', gone?.['why']].filter(Boolean).join(': ');
  }

  async #attack(program: HostileProgram, mark: string): Promise<Outcome> {
    const isPython = program.language === 'python';
    const entry = isPython ? 'attack.py' : 'attack.sh';
    const request = ExecuteRequest.fromPartial({
      ...this.engine.request,
      source: isPython
        ? { $case: 'code', value: program.source }
        : { $case: 'command', value: { argv: ['sh', entry, mark] } },
      entry: isPython ? entry : '',
      args: isPython ? [mark] : [],
      files: [
        { path: 'kit.py', content: KIT, mode: 0 },
        ...(isPython ? [] : [{ path: entry, content: Buffer.from(program.source), mode: 0 }]),
      ],
      env: { ...program.env, DAEMON: this.engine.daemon.address },
      limits: program.limits,
    });
    switch (program.client) {
      case 'reads': {
        const result = await collect(this.#mallory.execute(request), MAX_OUTPUT_BYTES);
        return { sandboxId: result.started.sandboxId, result };
      }
      case 'leaves':
        return { sandboxId: await this.#leave(request), result: undefined };
      case 'holds':
        return this.#hold(request);
    }
  }

  /** Goes away at the first output, which cancels the execution. */
  async #leave(request: ExecuteRequest): Promise<string> {
    let sandboxId = '';
    for await (const { event } of this.#mallory.execute(request)) {
      if (event?.$case === 'started') sandboxId = event.value.sandboxId;
      if (event?.$case === 'output') break;
    }
    return sandboxId;
  }

  /** Reads nothing until the daemon has taken the sandbox back, then everything. */
  async #hold(request: ExecuteRequest): Promise<Outcome> {
    const from = this.engine.daemon.log.length;
    const call = this.#mallory.generated.sandbox.execute(request);
    const acquired = await this.#loggedSince(
      from,
      (line) => line.event === 'sandbox_acquired' && line['tenant'] === 'mallory',
    );
    const sandboxId = acquired['sandbox'] as string;
    // One that was made for the execution goes with it and is not given back.
    await this.#loggedSince(
      from,
      (line) => line['sandbox'] === sandboxId && /^sandbox_(returned|destroyed)$/.test(line.event ?? ''),
    );
    const events = executionEvents(call as AsyncIterable<ExecuteResponse>);
    return { sandboxId, result: await collect(events, MAX_OUTPUT_BYTES) };
  }

  #loggedSince(from: number, wanted: (line: LogLine) => boolean): Promise<LogLine> {
    const { daemon } = this.engine;
    return daemon.logged((line) => wanted(line) && daemon.log.indexOf(line) >= from);
  }

  /** Runs what comes next for the same tenant and compares with what nobody had used. */
  async #next(mark: string): Promise<{ faults: string[]; sandboxId: string }> {
    try {
      const { lines, receipt, sandboxId } = await this.#snapshot(mark);
      const faults = differences(this.#pristine, lines).map((line) => `next execution: ${line}`);
      if (receipt !== undefined && !receipt.ok) faults.push(`reset: ${receipt.error}`);
      return { faults, sandboxId };
    } catch (error) {
      return { faults: [`next execution: ${String(error)}`], sandboxId: '' };
    }
  }

  async #snapshot(mark: string): Promise<Look> {
    const result = await this.#mallory.run({
      ...this.engine.request,
      source: { $case: 'code', value: SNAPSHOT },
      args: [createHash('sha256').update(mark).digest('hex')],
      env: { NOW: String(Date.now() / 1000) },
      limits: { wallMs: 60_000 },
    });
    if (describeEnd(result) !== 'exited 0') {
      throw new Error(`${describeEnd(result)}: ${result.message} ${result.stderr.toString()}`);
    }
    return {
      lines: result.stdout.toString().trimEnd().split('\n'),
      receipt: result.ended.resetReceipt,
      sandboxId: result.started.sandboxId,
    };
  }
}

function unexpected({ ends, lines, repeats }: Expectation, result: RunResult, engine: EngineName): string[] {
  const faults: string[] = [];
  const end = describeEnd(result);
  if (!ends.includes(end)) {
    const why = [result.message, result.stderr.subarray(-500).toString().trim()].filter(Boolean).join(' ');
    faults.push(`ended ${end}, not ${ends.join(' or ')}${why === '' ? '' : `: ${why}`}`);
  }
  if (repeats !== undefined) {
    const expected = Buffer.alloc(repeats.bytes, repeats.pattern);
    if (!result.stdout.equals(expected)) {
      faults.push(`its ${result.stdout.length} bytes of output are not the ${expected.length} that it wrote`);
    }
  }
  const { wallMs = 0, userCpuMs = 0, systemCpuMs = 0 } = result.usage ?? {};
  // gVisor charges every task that could run, whether or not the host gives it a core.
  const cores = engine === 'gvisor' ? Infinity : availableParallelism();
  const most = (wallMs + USAGE_SLACK_MS) * cores;
  if (userCpuMs < 0 || systemCpuMs < 0 || userCpuMs + systemCpuMs > most) {
    faults.push(`used ${userCpuMs} + ${systemCpuMs} ms of CPU in ${wallMs} ms`);
  }
  const shown = result.stdout.toString().split('\n');
  if (shown.at(-1) === '') shown.pop();
  if (
    lines !== undefined &&
    !(shown.length === lines.length && lines.every((line, i) => line.test(shown[i]!)))
  ) {
    faults.push(
      `showed ${JSON.stringify(shown.slice(0, MOST_LINES_SHOWN))}, not ${lines.map(String).join(', ')}`,
    );
  }
  return faults;
}

/** Lines of one list that are not in the other, for people. */
function differences(pristine: string[], now: string[]): string[] {
  return [
    ...now.filter((line) => !pristine.includes(line)),
    ...pristine.filter((line) => !now.includes(line)).map((line) => `instead of ${line}`),
  ];
}
