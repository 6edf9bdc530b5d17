import type { Socket } from 'node:net';
import { ProtocolViolation, type DockerFailure, failureFrom } from './failure.js';
import type { Outlet } from './outlet.js';

/** What is made of the bytes that come from Docker. */
export interface Incoming {
  /** Takes one read, and gives what leaves as one message. @throws ProtocolViolation */
  take(chunk: Buffer): Uint8Array<ArrayBuffer> | undefined;
  /** Whether the stream may end here. */
  readonly atBoundary: boolean;
}

/**
 * Carries what comes over a connection that Docker has hijacked for both ways to the outlet, until it is over.
 * @returns what broke it, if anything did; not, that `signal` was aborted, which ends it
 */
export function carryHijacked(
  socket: Socket,
  incoming: Incoming,
  outlet: Outlet,
  signal: AbortSignal,
): Promise<DockerFailure | undefined> {
  socket.setNoDelay(true);
  const cancel = (): void => void socket.destroy();
  signal.addEventListener('abort', cancel, { once: true });
  const ended = new Promise<DockerFailure | undefined>((resolve) => {
    let failure: DockerFailure | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        const batch = incoming.take(chunk);
        if (batch) outlet.bytes(batch);
      } catch (error) {
        failure = failureFrom(error);
        socket.destroy();
      }
    });
    socket.on('error', (error) => {
      failure ??= failureFrom(error);
    });
    // Docker half-closes when the output of the container ends; its input is of no use then.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      signal.removeEventListener('abort', cancel);
      if (!failure && !incoming.atBoundary && !signal.aborted)
        failure = failureFrom(new ProtocolViolation("Docker's stream ended inside a frame"));
      resolve(failure);
    });
  });
  outlet.connect(socket);
  if (signal.aborted) cancel();
  return ended;
}
