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
  /** Input and output of a command that was made in a container; opening it starts it. Output as records. */
  | { kind: 'exec'; execId: string; tty: boolean }
  /** Input and output of a container's main process, from now on. Output as records. */
  | { kind: 'attach'; containerId: string; tty: boolean }
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
  /** `exec`: no more is written. */
  | { kind: 'end_input' }
  /** So many bytes were consumed and may be sent again. */
  | { kind: 'credit'; bytes: number }
  | { kind: 'cancel' };

/** Stream → main thread. `ended` is the last message. */
export type FromStream =
  | { kind: 'opened' }
  /** `runner`: what the runner wrote, cut anywhere. Others: whole records. */
  | { kind: 'bytes'; bytes: Uint8Array }
  /** `exec`, `attach`: so many bytes of what was written have gone to Docker. */
  | { kind: 'written'; bytes: number }
  /** `runner`: a line of the runner's own diagnostics. */
  | { kind: 'diagnostics'; line: string }
  | { kind: 'event'; event: DockerEvent; bytes: number }
  | { kind: 'ended'; failure: DockerFailure | undefined };

export interface DockerEvent {
  /** Such as `start`, `die`, `oom`, `health_status: healthy`. */
  action: string;
  /** ID of the container, or of the network, that it is of. */
  actorId: string;
  /** Labels of the container beside the event's own values (`exitCode`, `name`, `image`; of a network `container`). */
  attributes: Record<string, string>;
  /** Milliseconds since the epoch. */
  time: number;
}
