import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Channel,
  connectivityState,
  credentials as grpcCredentials,
  InterceptingCall,
  status,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientOptions,
  type Interceptor,
} from '@grpc/grpc-js';
import { cancelled } from './rpc-error.js';

export interface ConnectOptions {
  /** `host:port` of berthd. Default `127.0.0.1:50051`. */
  address?: string;
  /** Whom the calls act for. Default: the daemon's `default`. */
  tenant?: string;
  /** Default: none, a plain connection. */
  credentials?: ChannelCredentials;
  /** Options of grpc-js that differ from the client's own. */
  channelOptions?: ChannelOptions;
}

export const DEFAULT_ADDRESS = '127.0.0.1:50051';

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024;

/** One channel that all clients share. Connects when first used and reconnects by itself. */
export class Connection {
  readonly #channel: Channel;
  readonly #interceptors: Interceptor[];
  readonly #calls = new Set<InterceptingCall>();
  readonly address: string;

  constructor({
    address = DEFAULT_ADDRESS,
    tenant,
    credentials = grpcCredentials.createInsecure(),
    channelOptions,
  }: ConnectOptions) {
    this.address = address;
    this.#interceptors = [keptIn(this.#calls), ...(tenant === undefined ? [] : [actsFor(tenant)])];
    this.#channel = new Channel(address, credentials, {
      'grpc.max_receive_message_length': LARGEST_ANSWER_BYTES,
      // A dead peer is noticed within 40 s; streams of events may be silent for much longer.
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 5_000,
      ...channelOptions,
    });
  }

  /** For the constructor of a generated client. */
  clientOptions(): Partial<ClientOptions> {
    return { channelOverride: this.#channel, interceptors: this.#interceptors };
  }

  /** Tries once; resolves to whether a connection stands. */
  async connectOnce(signal?: AbortSignal): Promise<boolean> {
    for (;;) {
      const state = this.#channel.getConnectivityState(true);
      if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) {
        return state === connectivityState.READY;
      }
      await this.#changed(state, Infinity, signal);
    }
  }

  /** Resolves to whether a connection stands, trying until the time is over. */
  async connectUntil(deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
    for (;;) {
      const state = this.#channel.getConnectivityState(true);
      if (state === connectivityState.READY) return true;
      if (Date.now() >= deadlineMs || state === connectivityState.SHUTDOWN) return false;
      await this.#changed(state, deadlineMs, signal);
    }
  }

  /** Waits, unless cancelled. */
  async pause(ms: number, signal?: AbortSignal): Promise<void> {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal);
      throw error;
    }
  }

  /** Cancels what is under way: the calls of a closed channel of grpc-js would go on. */
  close(): void {
    for (const call of this.#calls) call.cancelWithStatus(status.CANCELLED, 'the client was closed');
    this.#channel.close();
  }

  async #changed(from: connectivityState, deadlineMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw cancelled(signal);
    // An idle channel does not keep the program alive; somebody who waits for it must.
    const hold = setInterval(() => {}, LONGEST_TIMER_MS);
    const over = new AbortController();
    try {
      const change = new Promise<void>((resolve) =>
        // Called with an error when the deadline passes; the caller looks at the clock itself.
        this.#channel.watchConnectivityState(from, deadlineMs, () => resolve()),
      );
      const aborted = signal && once(signal, 'abort', { signal: over.signal }).catch(() => {});
      await Promise.race(aborted === undefined ? [change] : [change, aborted]);
    } finally {
      over.abort();
      clearInterval(hold);
    }
    if (signal?.aborted) throw cancelled(signal);
  }
}

/** Holds each call in `calls` from its start to its end. */
function keptIn(calls: Set<InterceptingCall>): Interceptor {
  return (options, nextCall) => {
    const call = new InterceptingCall(nextCall(options), {
      start(metadata, _, next) {
        calls.add(call);
        next(metadata, {
          onReceiveStatus(ended, nextListener) {
            calls.delete(call);
            nextListener(ended);
          },
        });
      },
    });
    return call;
  };
}

function actsFor(tenant: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set('berth-tenant', tenant);
        next(metadata, listener);
      },
    });
}
