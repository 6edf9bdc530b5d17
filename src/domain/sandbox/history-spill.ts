import { appendFile, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../telemetry/logger.js';
import type { ExecutionEvent, ExecutionEventBody, OutputBody } from './execution.js';

export interface SpillOptions {
  /** Made when the first history needs it; nothing else may be in it. */
  directory: string;
  /** Of one execution. Beyond it the oldest part goes. */
  bytesEach: number;
  /** Of all executions together. Beyond it histories get shorter. */
  bytesTotal: number;
  logger: Logger;
}

/** The place on disk that the histories of all executions share: a directory and a bound. */
export class SpillSpace {
  #used = 0;
  #complained = false;

  constructor(readonly options: SpillOptions) {}

  /** Bytes on disk now. */
  get used(): number {
    return this.#used;
  }

  /** Whether that much more may be written. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.options.bytesTotal) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** Once for a disk that refuses; the executions go on with a shorter history. */
  complain(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    this.options.logger.warn(
      { err: error, directory: this.options.directory },
      'histories of executions cannot be written to disk; readers that fall behind lose events',
    );
  }

  /** Removes whatever is there: at boot what a crash left, at stop the rest. */
  async clear(): Promise<void> {
    await rm(this.options.directory, { recursive: true, force: true });
  }
}

/** Events that were written at once, in one piece of a segment. */
interface Chunk {
  firstSeq: number;
  lastSeq: number;
  offset: number;
  bytes: number;
}

/** A file of consecutive chunks, removed as a whole: a file cannot be shortened at its beginning. */
interface Segment {
  path: string;
  chunks: Chunk[];
  bytes: number;
}

const SEGMENTS_EACH = 4;

/**
 * The older events of one execution on disk, consecutive from `firstSeq` to the last that was written. Writes go in order;
 * no file stays open. Private to the daemon's user: it holds what tenants' programs wrote.
 */
export class HistorySpill {
  #segments: Segment[] = [];
  #bytes = 0;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(
    private readonly space: SpillSpace,
    private readonly executionId: string,
  ) {}

  /** Undefined: nothing is there. */
  get firstSeq(): number | undefined {
    return this.#segments.find((segment) => segment.chunks.length > 0)?.chunks[0]?.firstSeq;
  }

  /** Resolves to whether they are there; false: neither they nor what came before can be kept. */
  write(events: readonly ExecutionEvent[]): Promise<boolean> {
    const written = this.#last.then(() => this.#write(events));
    this.#last = written;
    return written;
  }

  /** The events of the chunk that `seq` is in; undefined when it is gone. */
  async read(seq: number): Promise<ExecutionEvent[] | undefined> {
    const segment = this.#segments.find(({ chunks }) => (chunks.at(-1)?.lastSeq ?? 0) >= seq);
    const chunk = segment?.chunks.find(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq);
    if (segment === undefined || chunk === undefined) return undefined;
    try {
      await using file = await open(segment.path, 'r');
      const bytes = Buffer.alloc(chunk.bytes);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, chunk.offset);
      if (bytesRead === bytes.length) return decode(bytes);
      throw new Error(`${segment.path} is shorter than what was written to it`);
    } catch (error) {
      // Removed between the look and the read.
      if (!this.#segments.includes(segment)) return undefined;
      this.space.complain(error);
      return undefined;
    }
  }

  /** Removes it from the disk, behind a write under way. */
  dispose(): void {
    this.#disposed = true;
    this.#last = this.#last.then(async () => {
      while (this.#segments.length > 0) await this.#dropOldest();
    });
  }

  async #write(events: readonly ExecutionEvent[]): Promise<boolean> {
    const [first, last] = [events[0], events.at(-1)];
    if (this.#disposed || first === undefined || last === undefined) return false;
    const bytes = encode(events);
    const { bytesEach, directory } = this.space.options;
    while (this.#segments.length > 0 && this.#bytes + bytes.length > bytesEach) await this.#dropOldest();
    while (bytes.length > bytesEach || !this.space.take(bytes.length)) {
      if (this.#segments.length === 0) return false;
      await this.#dropOldest();
    }
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.bytes + bytes.length > bytesEach / SEGMENTS_EACH) {
      segment = { path: join(directory, `${this.executionId}.${this.#count++}`), chunks: [], bytes: 0 };
      this.#segments.push(segment);
    }
    const offset = segment.bytes;
    segment.bytes += bytes.length;
    this.#bytes += bytes.length;
    try {
      await this.#append(segment.path, bytes);
      segment.chunks.push({ firstSeq: first.seq, lastSeq: last.seq, offset, bytes: bytes.length });
      return true;
    } catch (error) {
      this.space.complain(error);
      return false;
    }
  }

  async #append(path: string, bytes: Uint8Array): Promise<void> {
    const { directory } = this.space.options;
    try {
      await appendFile(path, bytes, { mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await appendFile(path, bytes, { mode: 0o600 });
    }
  }

  async #dropOldest(): Promise<void> {
    const segment = this.#segments.shift();
    if (segment === undefined) return;
    await rm(segment.path, { force: true }).catch((error: unknown) => this.space.complain(error));
    this.#bytes -= segment.bytes;
    this.space.give(segment.bytes);
  }
}

/** `body` without the bytes, which follow the header. */
interface Header {
  seq: number;
  time: number;
  body: Exclude<ExecutionEventBody, OutputBody> | Omit<OutputBody, 'data'>;
}

const LENGTHS_BYTES = 8;

/** u32 header bytes | u32 data bytes | header as JSON | data, for each event. */
function encode(events: readonly ExecutionEvent[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const { seq, time, body } of events) {
    const data = body.type === 'output' ? body.data : new Uint8Array(0);
    const bare: Header['body'] = body.type === 'output' ? { type: 'output', stream: body.stream } : body;
    const header = Buffer.from(JSON.stringify({ seq, time, body: bare } satisfies Header));
    const lengths = Buffer.alloc(LENGTHS_BYTES);
    lengths.writeUInt32BE(header.length, 0);
    lengths.writeUInt32BE(data.length, 4);
    parts.push(lengths, header, data);
  }
  return Buffer.concat(parts);
}

function decode(bytes: Buffer): ExecutionEvent[] {
  const events: ExecutionEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const headerEnd = at + LENGTHS_BYTES + bytes.readUInt32BE(at);
    const dataEnd = headerEnd + bytes.readUInt32BE(at + 4);
    const { seq, time, body } = JSON.parse(bytes.toString('utf8', at + LENGTHS_BYTES, headerEnd)) as Header;
    const data = bytes.subarray(headerEnd, dataEnd);
    events.push({ seq, time, body: body.type === 'output' ? { ...body, data } : body });
    at = dataEnd;
  }
  return events;
}
