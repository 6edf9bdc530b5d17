import { connect } from 'node:net';
import { failureFrom, type DockerFailure } from './worker/failure.js';

/**
 * Whether anything listens where Docker should: opens a connection and closes it, some 50 µs for a UNIX socket.
 * @returns why not; undefined where something does, or where that cannot be said (a full backlog, no file descriptor left)
 */
export async function knock(dockerHost: string): Promise<DockerFailure | undefined> {
  const url = new URL(dockerHost);
  const socket =
    url.protocol === 'unix:'
      ? connect({ path: decodeURIComponent(url.pathname) })
      : connect({ host: url.hostname, port: Number(url.port || 2375) });
  const error = await new Promise<Error | undefined>((resolve) => {
    socket.once('connect', () => resolve(undefined)).once('error', resolve);
  });
  socket.destroy();
  const failure = error && failureFrom(error);
  return failure?.code === 'unreachable' && NOBODY.includes(failure.cause) ? failure : undefined;
}

const NOBODY: readonly string[] = ['refused', 'missing'];
