import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../telemetry/logger.js';
import { isBerthError, messageOf } from '../errors.js';
import { endedByCrash } from './execution-end.js';
import type { ExecutionRecord } from './execution-record.js';
import type { DaemonLife, ExecutionStore } from './execution-store.js';

/** Something that has a record, as it is when it is asked. */
export interface Recorded {
  readonly id: string;
  readonly tenant: string;
  record(): ExecutionRecord;
}

export interface RecorderOptions {
  store: ExecutionStore;
  of: DaemonLife;
  logger: Logger;
  /** Records that may wait for the database; beyond it the longest waiting are dropped. */
  maxPending: number;
  /** How long records are kept. Milliseconds. */
  keepMs: number;
  /** How many records are kept. */
  keepCount: number;
}

/** An execution that is over sooner is written once. Milliseconds. */
const WRITE_EVERY_MS = 250;
const RETRY_MS = 1_000;
/** Small, so that making a statement does not hold up the event loop. */
const BATCH = 100;
const REMOVE_EVERY_MS = 60_000;
const REMOVE_BATCH = 500;

/**
 * Writes records behind the executions: `note` takes nothing but memory, and a batch follows within a quarter of a second.
 * While the database is away records wait, bounded; each is written as it is at that time, so an execution waits once.
 * Before anything of this life is written, what an earlier life left unended is ended as lost.
 */
export class ExecutionRecorder {
  readonly #pending = new Map<string, Recorded>();
  #writing: Map<string, Recorded> = new Map();
  #dropped = 0;
  #problem = '';
  #timer: NodeJS.Timeout | undefined;
  #flush: Promise<void> | undefined;
  #lostEnded: Promise<void> | undefined;
  #removeTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly options: RecorderOptions) {}

  /** Why records are not written, or were dropped; empty when all is well. */
  get problem(): string {
    const { size } = this.#pending;
    const dropped = this.#dropped === 0 ? '' : `${this.#dropped} records of executions were dropped; `;
    if (this.#problem === '') return '';
    return `${dropped}${size} records of executions wait for the database: ${this.#problem}`;
  }

  /** Ends what a crash left, as soon as the database is there, and removes old records from now on. */
  start(): void {
    this.#removeTimer = setInterval(() => void this.#removeOld(), REMOVE_EVERY_MS).unref();
    this.#arm(0);
  }

  /** The record is to be written. */
  note(recorded: Recorded): void {
    this.#pending.set(recorded.id, recorded);
    if (this.#pending.size > this.options.maxPending) {
      const [oldest] = this.#pending.keys();
      this.#pending.delete(oldest!);
      this.#dropped++;
    }
    this.#arm(WRITE_EVERY_MS);
  }

  /** What is newer here than in the store. */
  *unwritten(): Generator<ExecutionRecord> {
    for (const recorded of this.#pending.values()) yield recorded.record();
    for (const recorded of this.#writing.values())
      if (!this.#pending.has(recorded.id)) yield recorded.record();
  }

  /** One of the tenant's that is newer here than in the store. */
  get(tenant: string, id: string): ExecutionRecord | undefined {
    const recorded = this.#pending.get(id) ?? this.#writing.get(id);
    return recorded?.tenant === tenant ? recorded.record() : undefined;
  }

  /** Resolves when no record of an earlier life is unended. @throws BerthError STORE_UNAVAILABLE */
  async ensureLostEnded(): Promise<void> {
    this.#lostEnded ??= this.#endLost().catch((error: unknown) => {
      this.#lostEnded = undefined;
      throw error;
    });
    await this.#lostEnded;
  }

  /** Writes what waits; tries for so long. Milliseconds. */
  async close(withinMs: number): Promise<void> {
    const until = Date.now() + withinMs;
    clearInterval(this.#removeTimer);
    for (;;) {
      clearTimeout(this.#timer);
      await (this.#flush ??= this.#writeAll());
      if (this.#pending.size === 0 || Date.now() + RETRY_MS > until) break;
      await delay(RETRY_MS);
    }
    this.#closed = true;
    clearTimeout(this.#timer);
    const { size } = this.#pending;
    if (size > 0)
      this.options.logger.error(
        { event: 'execution_records_lost', records: size },
        `records of executions could not be written: ${this.#problem}`,
      );
  }

  #arm(ms: number): void {
    if (this.#timer !== undefined || this.#flush !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush ??= this.#writeAll();
    }, ms);
    this.#timer.unref();
  }

  /** Never throws. */
  async #writeAll(): Promise<void> {
    try {
      await this.ensureLostEnded();
      while (this.#pending.size > 0) await this.#writeBatch();
      if (this.#problem !== '') this.options.logger.info({}, 'records of executions are written again');
      this.#problem = '';
      this.#dropped = 0;
    } catch (error) {
      if (this.#problem === '')
        this.options.logger.warn({ err: error }, 'records of executions wait for the database');
      this.#problem = messageOf(error);
    } finally {
      this.#flush = undefined;
      if (this.#pending.size > 0 || this.#lostEnded === undefined) this.#arm(RETRY_MS);
    }
  }

  async #writeBatch(): Promise<void> {
    const batch = new Map<string, Recorded>();
    for (const [id, recorded] of this.#pending) {
      if (batch.size >= BATCH) break;
      batch.set(id, recorded);
    }
    for (const id of batch.keys()) this.#pending.delete(id);
    this.#writing = batch;
    try {
      await this.#save([...batch.values()].map((recorded) => recorded.record()));
    } catch (error) {
      for (const [id, recorded] of batch) if (!this.#pending.has(id)) this.#pending.set(id, recorded);
      throw error;
    } finally {
      this.#writing = new Map();
    }
  }

  /** One record that the database will never take must not hold up the others. */
  async #save(records: ExecutionRecord[]): Promise<void> {
    const { store, of, logger } = this.options;
    try {
      await store.save(of, records);
    } catch (error) {
      if (isBerthError(error)) throw error;
      for (const record of records) {
        await store.save(of, [record]).catch((refusal: unknown) => {
          if (isBerthError(refusal)) throw refusal;
          logger.error({ execution: record.id, err: refusal }, 'a record of an execution was refused');
        });
      }
    }
  }

  async #endLost(): Promise<void> {
    const { store, of, logger } = this.options;
    const count = await store.endLost(of, endedByCrash(), Date.now());
    if (count > 0)
      logger.warn(
        { event: 'executions_lost', executions: count },
        'executions that a crash of berthd cut off are recorded as lost',
      );
  }

  async #removeOld(): Promise<void> {
    const { store, of, logger, keepMs, keepCount } = this.options;
    try {
      let removed: number;
      do {
        removed = await store.removeOld(of, Date.now() - keepMs, keepCount, REMOVE_BATCH);
        if (removed > 0) logger.debug({ records: removed }, 'old records of executions removed');
      } while (removed === REMOVE_BATCH && !this.#closed);
    } catch (error) {
      logger.debug({ err: error }, 'old records of executions are removed later');
    }
  }
}
