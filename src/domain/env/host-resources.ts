import { statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname } from 'node:path';

/** What the host that envs run on has left. */
export interface HostResources {
  /** Undefined where it is not known: Docker runs on another host. Bytes. */
  freeMemoryBytes(): number | undefined;
  /** Of the file system that `path` is or would be on. Bytes. */
  freeDiskBytes(path: string): Promise<number>;
}

/** The host that berthd runs on. @param sameHost whether Docker runs there too */
export function hostResources(sameHost: boolean): HostResources {
  return {
    freeMemoryBytes: () => (sameHost ? freemem() : undefined),
    async freeDiskBytes(path) {
      for (let at = path; ; at = dirname(at)) {
        try {
          const { bavail, bsize } = await statfs(at);
          return bavail * bsize;
        } catch (error) {
          // It is made with the first env.
          if (at === dirname(at)) throw error;
        }
      }
    },
  };
}
