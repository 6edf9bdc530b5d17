import type { MessagePort } from 'node:worker_threads';
import type { DockerFailure } from './failure.js';

/** What a stream carries. */
export type StreamOpen =
  /** The runner's stdin, stdout and stderr, attached before the container starts. */
  | { kind: 'runner'; containerId: string }
  /** Log of one container as records (`log-records.ts`). */
  | {
      kind: 'logs';
      containerId: string;
      follow: boolean;
      tail: number | undefined;
      sinceMs: number | undefined;
      untilMs: number | undefined;
    }
  /** Docker's events that match all filters. */
  | { kind: 'events'; filters: Record<string, string[]> };

/** One task of the pool "streams": it owns its I/O until the stream is over. */
export interface StreamTask {
  requestId: number;
  open: StreamOpen;
  apiVersion: string | undefined;
  port: MessagePort;
  /** Bytes that may be under way to the main thread; reading from Docker pauses beyond it. */
  windowBytes: number;
}

/** Main thread → stream. */
export type ToStream =
  | { kind: 'write'; bytes: Uint8Array }
  /** So many bytes were consumed and may be sent again. */
  | { kind: 'credit'; bytes: number }
  | { kind: 'cancel' };

/** Stream → main thread. `ended` is the last message. */
export type FromStream =
  | { kind: 'opened' }
  /** `runner`: what the runner wrote, cut anywhere. `logs`: whole records. */
  | { kind: 'bytes'; bytes: Uint8Array }
  /** `runner`: a line of the runner's own diagnostics. */
  | { kind: 'diagnostics'; line: string }
  | { kind: 'event'; event: DockerEvent; bytes: number }
  | { kind: 'ended'; failure: DockerFailure | undefined };

export interface DockerEvent {
  /** Such as `start`, `die`, `oom`, `health_status: healthy`. */
  action: string;
  containerId: string;
  /** Labels of the container beside the event's own values (`exitCode`, `name`, `image`). */
  attributes: Record<string, string>;
  /** Milliseconds since the epoch. */
  time: number;
}
