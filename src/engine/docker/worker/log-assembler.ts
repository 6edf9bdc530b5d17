import type { LogRecordWriter } from '../log-records.js';
import type { StdcopyReceiver } from './stdcopy-demultiplexer.js';

/** As long as Docker's own messages: 16 KiB of a line, and its end. */
const CHUNK_BYTES = 16 * 1024 + 2;
/** Docker's times have 30 characters; anything much longer before the first space is not one. */
const TIMESTAMP_BYTES = 64;
const SPACE = 0x20;
const NONE = new Uint8Array(0);

/**
 * Makes records of log messages. A message is a timestamp, a space and one line (or the part of a long line that Docker
 * stored as a message of its own); it becomes one record, or several of 16 KiB. Holds one buffer of that size.
 */
export class LogAssembler implements StdcopyReceiver {
  readonly #held = new Uint8Array(CHUNK_BYTES);
  #heldBytes = 0;
  #stream: 'stdout' | 'stderr' = 'stdout';
  #timestamp: Uint8Array | undefined;

  constructor(private readonly records: LogRecordWriter) {}

  begin(stream: 'stdout' | 'stderr'): void {
    this.#stream = stream;
    this.#timestamp = undefined;
  }

  data(part: Uint8Array): void {
    const rest = this.#timestamp ? part : this.#readTimestamp(part);
    for (let at = 0; at < rest.length;) {
      const end = Math.min(rest.length, at + CHUNK_BYTES - this.#heldBytes);
      this.#hold(rest.subarray(at, end));
      at = end;
      if (this.#heldBytes === CHUNK_BYTES) this.#emit();
    }
  }

  end(): void {
    if (this.#heldBytes > 0) this.#emit();
  }

  /** Takes what belongs to the timestamp; returns what follows it. */
  #readTimestamp(part: Uint8Array): Uint8Array {
    const space = part.indexOf(SPACE);
    const inPart = space < 0 ? part.length : space;
    if (this.#heldBytes + inPart > TIMESTAMP_BYTES) {
      this.#timestamp = NONE;
      return part;
    }
    this.#hold(part.subarray(0, inPart));
    if (space < 0) return NONE;
    this.#timestamp = this.#held.slice(0, this.#heldBytes);
    this.#heldBytes = 0;
    return part.subarray(space + 1);
  }

  #hold(part: Uint8Array): void {
    this.#held.set(part, this.#heldBytes);
    this.#heldBytes += part.length;
  }

  #emit(): void {
    this.records.add(this.#stream, this.#timestamp ?? NONE, this.#held.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
  }
}
