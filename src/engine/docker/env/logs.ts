import { LogReaderBehind, type LogChunk, type LogOptions } from '../../../domain/env/engine.js';
import { deferred } from '../../../lib/deferred.js';
import { berthErrorFrom, DockerError, isFailure, type FailureContext } from '../docker-error.js';
import type { DockerStreams } from '../docker-streams.js';
import { readLogRecords } from '../log-records.js';
import type { DockerFailure } from '../worker/failure.js';

/** What may be under way between Docker and a reader that does not pull; beyond it Docker itself is stopped. */
const WINDOW_BYTES = 256 * 1024;

/**
 * The log of one container. Leaving the loop ends the stream.
 * @throws BerthError ENV_CONTAINER_MISSING | OVERLOADED | DOCKER_UNAVAILABLE | CANCELLED; LogReaderBehind
 */
export async function* readContainerLog(
  streams: DockerStreams,
  containerId: string,
  options: LogOptions,
  signal?: AbortSignal,
): AsyncGenerator<LogChunk, void, undefined> {
  const context: FailureContext = {
    doing: `reading the log of container ${containerId.slice(0, 12)}`,
    refused: 'DOCKER_ERROR',
    missing: 'ENV_CONTAINER_MISSING',
    signal,
  };
  const batches: Uint8Array[] = [];
  let end: { failure: DockerFailure | undefined } | undefined;
  let changed = deferred();
  const patience = new Patience(options.giveUpAfterMs);
  const { follow, tail, since, until } = options;
  try {
    const stream = await streams.open(
      { kind: 'logs', containerId, follow, tail, sinceMs: since, untilMs: until },
      {
        message(message) {
          if (message.kind === 'bytes') {
            batches.push(message.bytes);
            patience.arrived(message.bytes.length);
          }
          changed.resolve();
        },
        ended(failure) {
          end = { failure };
          changed.resolve();
        },
      },
      { windowBytes: WINDOW_BYTES, signal },
    );
    const cancel = (): void => stream.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    patience.onEnd = cancel;
    try {
      for (;;) {
        const batch = batches.shift();
        if (batch) {
          yield* readLogRecords(batch);
          stream.credit(batch.length);
          patience.taken(batch.length);
        } else if (end) {
          if (patience.isOver) throw new LogReaderBehind(context.doing);
          if (end.failure) throw new DockerError(end.failure);
          return;
        } else {
          await changed.promise;
          changed = deferred();
        }
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
      patience.close();
      stream.cancel();
    }
  } catch (error) {
    if (error instanceof LogReaderBehind) throw error;
    // Docker's word for a container that is being removed.
    if (isFailure(error, 'conflict'))
      throw berthErrorFrom(error, { ...context, refused: 'ENV_CONTAINER_MISSING' });
    throw berthErrorFrom(error, context);
  }
}

/** Ends when the buffer was full for so long without anything being taken. */
class Patience {
  onEnd: () => void = () => {};
  isOver = false;
  #held = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly limitMs: number | undefined) {}

  arrived(bytes: number): void {
    this.#held += bytes;
    this.#look();
  }

  taken(bytes: number): void {
    this.#held -= bytes;
    this.close();
    this.#look();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (this.limitMs === undefined || this.#timer || this.isOver || this.#held < WINDOW_BYTES) return;
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.onEnd();
    }, this.limitMs);
  }
}
