import { deferred, type Deferred } from '../../lib/deferred.js';
import { BerthError, invalid } from '../errors.js';
import type { ExecutionEvent, ExecutionEventBody } from './execution.js';
import { HistorySpill, type SpillSpace } from './history-spill.js';

interface Reader {
  /** Last sequence number it was given. */
  position: number;
}

export interface HistoryOptions {
  /** Bytes of events kept in memory. */
  retainBytes: number;
  /** Where older events go. Undefined: nowhere. */
  spill: SpillSpace | undefined;
  /** Whether older events go to disk although no reader waits for them: somebody may come back for them. */
  keepOlder: boolean;
}

/** Largest piece that is written to disk, and what may wait for the disk before the sandbox waits too. Bytes. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * The events of one execution, for any number of readers, each from any sequence number that is still kept.
 *
 * Backpressure: `onConsumed(bytes)` is called with the output that the fastest reader has taken; the producer lets the
 * sandbox send that much more. One reader that is slow slows its execution; one among others does not. Without readers
 * output counts as taken, so that an execution whose client went away goes on.
 *
 * Memory: beyond `retainBytes` taken events leave it, oldest first: to disk when a reader is still behind them or
 * `keepOlder` is set, as far as there is room, else nowhere. What is not taken is bounded by the producer's credit, and
 * what waits for the disk holds back that credit. What is kept is always consecutive up to the newest event.
 */
export class ExecutionLog {
  /** The newest events, consecutive from `#memoryFirst`. */
  #events: ExecutionEvent[] = [];
  #memoryFirst = 1;
  #nextSeq = 1;
  #bytes = 0;
  #consumedSeq = 0;
  /** Consumed output that the producer was not told of yet. Bytes. */
  #owed = 0;
  /** Chunks on their way to disk, consecutive up to `#memoryFirst`. */
  #unwritten: ExecutionEvent[][] = [];
  #spill: HistorySpill | undefined;
  readonly #readers = new Set<Reader>();
  #changed: Deferred<void> | undefined;
  #ended = false;
  #failure: BerthError | undefined;
  #wasRead = false;

  constructor(
    private readonly executionId: string,
    private readonly options: HistoryOptions,
    private readonly onConsumed: (bytes: number) => void,
  ) {}

  get ended(): boolean {
    return this.#ended || this.#failure !== undefined;
  }

  /** `seq` of the oldest event that can be read; 0: none. */
  get oldestSeq(): number {
    const first = this.#firstSeq();
    return first < this.#nextSeq ? first : 0;
  }

  /** `seq` of the newest event; 0: none yet. */
  get lastSeq(): number {
    return this.#nextSeq - 1;
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get isBeingRead(): boolean {
    return this.#readers.size > 0;
  }

  /** Whether a reader took something since this was asked last. */
  takeWasRead(): boolean {
    const was = this.#wasRead;
    this.#wasRead = false;
    return was;
  }

  append(body: ExecutionEventBody): void {
    if (this.ended) return;
    this.#events.push({ seq: this.#nextSeq++, time: Date.now(), body });
    this.#bytes += sizeOf(body);
    if (body.type === 'ended') this.#ended = true;
    if (this.#readers.size === 0) this.#consumed();
    this.#wake();
  }

  /** The execution never started: every reader gets this error after the events before it. */
  fail(error: BerthError): void {
    this.#failure = error;
    this.#wake();
  }

  /** Lets go of everything, in memory and on disk; a reader that comes, or is still there, finds the history gone. */
  dispose(): void {
    this.#events = [];
    this.#memoryFirst = this.#nextSeq;
    this.#bytes = 0;
    this.#forgetOlder();
    this.#wake();
  }

  /**
   * Events after `afterSeq`, then live ones; returns after `ended`.
   * @throws BerthError INVALID_ARGUMENT (beyond the newest event), HISTORY_GONE, CANCELLED, or what `fail` was given
   */
  async *read(afterSeq: number, signal?: AbortSignal): AsyncGenerator<ExecutionEvent> {
    if (afterSeq > this.lastSeq)
      throw invalid({
        field: 'after_seq',
        rule: `must be at most ${this.lastSeq}, the newest event of the execution`,
      });
    const reader: Reader = { position: afterSeq };
    this.#readers.add(reader);
    const wake = (): void => this.#wake();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      for (;;) {
        if (signal?.aborted === true) throw new BerthError('CANCELLED', 'the caller stopped reading');
        const next = reader.position + 1;
        const event = this.#events[next - this.#memoryFirst];
        if (event !== undefined) {
          yield event;
          this.#took(reader, event);
          if (event.body.type === 'ended') return;
        } else if (next < this.#memoryFirst) {
          for (const older of await this.#older(next)) {
            if (older.seq <= reader.position) continue;
            yield older;
            this.#took(reader, older);
          }
        } else if (this.#failure !== undefined) throw this.#failure;
        else if (this.#ended) return;
        else await (this.#changed ??= deferred<void>()).promise;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      this.#readers.delete(reader);
      this.#consumed();
    }
  }

  #took(reader: Reader, event: ExecutionEvent): void {
    reader.position = event.seq;
    this.#wasRead = true;
    this.#consumed();
  }

  /** Events from `seq` on, which is no longer in memory. @throws BerthError HISTORY_GONE */
  async #older(seq: number): Promise<ExecutionEvent[]> {
    if (seq >= this.#firstSeq()) {
      const waiting = this.#unwritten.find((chunk) => (chunk.at(-1)?.seq ?? 0) >= seq);
      const events = waiting !== undefined && waiting[0]!.seq <= seq ? waiting : await this.#spill?.read(seq);
      if (events !== undefined) return events;
    }
    const first = Math.max(this.#firstSeq(), seq + 1);
    throw new BerthError(
      'HISTORY_GONE',
      `events up to ${first - 1} of this execution are no longer kept; attach with after_seq ${first - 1}`,
      { metadata: { first_seq: String(first) } },
    );
  }

  #firstSeq(): number {
    return this.#spill?.firstSeq ?? this.#unwritten[0]?.[0]?.seq ?? this.#memoryFirst;
  }

  #wake(): void {
    const waiting = this.#changed;
    this.#changed = undefined;
    waiting?.resolve();
  }

  #consumed(): void {
    let upTo = this.#readers.size === 0 ? this.lastSeq : this.#consumedSeq;
    for (const reader of this.#readers) upTo = Math.max(upTo, reader.position);
    while (this.#consumedSeq < upTo) {
      const event = this.#events[++this.#consumedSeq - this.#memoryFirst];
      if (event !== undefined && event.body.type === 'output') this.#owed += event.body.data.byteLength;
    }
    while (this.#bytes > this.options.retainBytes && this.#evict());
    this.#grant();
  }

  #grant(): void {
    if (this.#owed === 0 || this.#unwritten.length > 1) return;
    const freed = this.#owed;
    this.#owed = 0;
    this.onConsumed(freed);
  }

  /** Takes the oldest events out of memory, a quarter of it or a chunk at once: one at a time would move the array for each. */
  #evict(): boolean {
    const enough = Math.min(this.#bytes - this.options.retainBytes * 0.75, CHUNK_BYTES);
    let count = 0;
    let bytes = 0;
    while (bytes < enough && this.#memoryFirst + count <= this.#consumedSeq)
      bytes += sizeOf(this.#events[count++]!.body);
    if (count === 0) return false;
    const chunk = this.#events.splice(0, count);
    this.#memoryFirst += count;
    this.#bytes -= bytes;
    const lastSeq = this.#memoryFirst - 1;
    const isWaitedFor = [...this.#readers].some(({ position }) => position < lastSeq);
    const { spill, keepOlder } = this.options;
    if (spill !== undefined && (keepOlder || isWaitedFor)) this.#write(chunk, spill);
    else this.#forgetOlder();
    return true;
  }

  #write(chunk: ExecutionEvent[], space: SpillSpace): void {
    const spill = (this.#spill ??= new HistorySpill(space, this.executionId));
    this.#unwritten.push(chunk);
    void spill.write(chunk).then((isKept) => {
      if (this.#spill !== spill) return;
      this.#unwritten.shift();
      if (!isKept) this.#forgetOlder();
      this.#grant();
    });
  }

  /** What is not in memory is gone: history has no holes. */
  #forgetOlder(): void {
    this.#spill?.dispose();
    this.#spill = undefined;
    this.#unwritten = [];
  }
}

/** Bytes an event holds on to, the object itself included. */
function sizeOf(body: ExecutionEventBody): number {
  return 200 + (body.type === 'output' ? body.data.byteLength : 0);
}
