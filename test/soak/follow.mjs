// One execution as its client sees it, with the rules that hold for the events of every execution.
import { createHash } from 'node:crypto';
import { ExecuteRequest, OutputStream } from '../../dist/clients/typescript/src/index.js';

/** What Berth did is not what it should have done. */
export class Wrong extends Error {
  name = 'Wrong';
}

/** Past this an answer counts as missing. */
const ANSWER_WITHIN_MS = 90_000;
/** Output that is kept as it is; of more there is the length and the hash. */
const KEPT_BYTES = 64 * 1024;

/** What a client saw of an execution, from its beginning or from `after_seq` on. */
export class Seen {
  started;
  ended;
  lastSeq;
  /** The error that ended the call instead of an event. */
  error;
  stdout = new Collected();
  stderr = new Collected();

  constructor(afterSeq = 0) {
    this.lastSeq = afterSeq;
  }

  get sandboxId() {
    return this.started?.sandboxId;
  }

  /** @throws Wrong when an event comes out of order */
  take({ seq, event }) {
    if (seq !== this.lastSeq + 1) throw new Wrong(`event ${seq} came after event ${this.lastSeq}`);
    if (this.ended !== undefined) throw new Wrong(`event ${seq} (${event.$case}) came after the end`);
    if ((event.$case === 'started') !== (seq === 1)) throw new Wrong(`event ${seq} is ${event.$case}`);
    this.lastSeq = seq;
    switch (event.$case) {
      case 'started':
        this.started = event.value;
        break;
      case 'output':
        (event.value.stream === OutputStream.STDOUT ? this.stdout : this.stderr).add(event.value.data);
        break;
      case 'ended':
        this.ended = event.value;
        break;
    }
  }
}

class Collected {
  #hash = createHash('sha256');
  #kept = [];
  bytes = 0;

  add(data) {
    this.#hash.update(data);
    if (this.bytes < KEPT_BYTES) this.#kept.push(data);
    this.bytes += data.length;
  }

  get text() {
    return Buffer.concat(this.#kept).toString();
  }

  /** To be asked once. */
  sha256() {
    return this.#hash.digest('hex');
  }
}

/**
 * Runs a request to its end. An error of the call is in `error`, and not thrown.
 *
 * @param {(event: object, seen: Seen) => unknown} [onEvent] awaited: a slow one is a slow reader; `'leave'` ends the call
 * @param {{signal?: AbortSignal, timeoutMs?: number}} [options] of the call
 */
export function follow(client, request, options, onEvent) {
  return read(client.sandbox.execute(ExecuteRequest.fromPartial(request), options), new Seen(), onEvent);
}

/** As `follow`, of an execution that runs already. */
export function attach(client, executionId, afterSeq, options, onEvent) {
  return read(
    client.sandbox.attachExecution({ executionId, afterSeq }, options),
    new Seen(afterSeq),
    onEvent,
  );
}

async function read(responses, seen, onEvent) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Wrong(`the stream did not end within ${ANSWER_WITHIN_MS / 1000} s`)),
      ANSWER_WITHIN_MS,
    );
  });
  try {
    await Promise.race([late, readAll(responses, seen, onEvent)]);
  } finally {
    clearTimeout(timer);
  }
  return seen;
}

async function readAll(responses, seen, onEvent) {
  try {
    for await (const { event } of responses) {
      seen.take(event);
      if ((await onEvent?.(event, seen)) === 'leave') return;
    }
  } catch (error) {
    if (error?.name !== 'BerthRpcError') throw error;
    seen.error = error;
  }
  if (seen.error === undefined && seen.ended === undefined)
    throw new Wrong('the stream ended without its terminal event');
}
