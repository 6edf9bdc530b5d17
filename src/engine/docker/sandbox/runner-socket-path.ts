import { lstatSync } from 'node:fs';
import path from 'node:path';

/** In the container; the runner makes its socket there where this is mounted (src/runner/channel.go). */
export const RUNNER_SOCKET_DIRECTORY = '/berth/channel';

/**
 * A tmpfs that only uid 0 of the container may enter: what runs there under another uid has no right to pass it, and the
 * runner removes the socket as soon as the daemon is connected.
 */
export const RUNNER_SOCKET_TMPFS = {
  [RUNNER_SOCKET_DIRECTORY]: 'rw,noexec,nosuid,nodev,mode=0700,size=4096,nr_inodes=2',
};

/**
 * The runner's socket as this host sees it, by the host pid of the container's main process. Undefined where the container's
 * files cannot be reached: a daemon that is not root, a container without the directory. No part of the path may be a
 * symbolic link of the image, which would lead into this host's own files.
 */
export function runnerSocketPath(pid: number): string | undefined {
  const root = `/proc/${pid}/root`;
  try {
    for (const part of [path.dirname(RUNNER_SOCKET_DIRECTORY), RUNNER_SOCKET_DIRECTORY]) {
      if (!lstatSync(root + part).isDirectory()) return undefined;
    }
    return `${root}${RUNNER_SOCKET_DIRECTORY}/socket`;
  } catch {
    return undefined;
  }
}
