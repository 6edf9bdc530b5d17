import type { MessagePort } from 'node:worker_threads';
import type { DockerFailure } from './failure.js';
import type { DockerEvent, FromStream } from './stream-messages.js';

interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

/**
 * The way from a stream to the main thread. Counts the bytes that are under way and pauses the source while they exceed
 * the window, so that a consumer that stops reading stops Docker, and no queue grows.
 */
export class Outlet {
  #credit: number;
  #paused = false;
  #source: Pausable | undefined;

  constructor(
    private readonly port: MessagePort,
    windowBytes: number,
  ) {
    this.#credit = windowBytes;
  }

  /** From now on this is what is paused. */
  connect(source: Pausable): void {
    this.#source = source;
    this.#post({ kind: 'opened' });
  }

  /** The buffer is handed over: it is empty here afterwards. */
  bytes(bytes: Uint8Array<ArrayBuffer>): void {
    const { length } = bytes;
    this.port.postMessage({ kind: 'bytes', bytes } satisfies FromStream, [bytes.buffer]);
    this.#spend(length);
  }

  event(event: DockerEvent, bytes: number): void {
    this.#post({ kind: 'event', event, bytes });
    this.#spend(bytes);
  }

  written(bytes: number): void {
    this.#post({ kind: 'written', bytes });
  }

  diagnostics(line: string): void {
    this.#post({ kind: 'diagnostics', line });
  }

  ended(failure: DockerFailure | undefined): void {
    this.#post({ kind: 'ended', failure });
    this.port.close();
  }

  refill(bytes: number): void {
    this.#credit += bytes;
    if (this.#paused && this.#credit > 0) {
      this.#paused = false;
      this.#source?.resume();
    }
  }

  #spend(bytes: number): void {
    this.#credit -= bytes;
    if (this.#credit <= 0 && !this.#paused) {
      this.#paused = true;
      this.#source?.pause();
    }
  }

  #post(message: FromStream): void {
    this.port.postMessage(message);
  }
}
