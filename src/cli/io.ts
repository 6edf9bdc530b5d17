import type { Readable, Writable } from 'node:stream';

/** A stream of text or bytes that may be a terminal. */
export type OutputStreamLike = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** Input that may be a terminal, and can then hand on each key as it is pressed. */
export type InputStreamLike = Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };

/** Everything that the CLI touches of its process, so that tests can give it something else. */
export interface CliIo {
  stdin: InputStreamLike;
  stdout: OutputStreamLike;
  stderr: OutputStreamLike;
  env: NodeJS.ProcessEnv;
  /** Calls the listener at the first SIGINT or SIGTERM; the second one ends the process at once. Returns the undo. */
  onInterrupt(listener: (signal: Interrupt) => void): () => void;
}

export type Interrupt = 'SIGINT' | 'SIGTERM';

export function processIo(): CliIo {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onInterrupt(listener) {
      process.once('SIGINT', listener);
      process.once('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
  };
}
