import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Bytes on disk of a file or of a folder with all that is in it, links not followed. What goes away meanwhile, or cannot
 * be read, counts nothing.
 */
export async function treeSize(path: string): Promise<number> {
  try {
    const { blocks } = await lstat(path);
    // Blocks of `stat` have 512 bytes, whatever the file system's are.
    let size = blocks * 512;
    const directory = await opendir(path).catch(() => undefined);
    if (!directory) return size;
    for await (const entry of directory) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) size += await treeSize(inside);
      else
        size += await lstat(inside).then(
          (found) => found.blocks * 512,
          () => 0,
        );
    }
    return size;
  } catch {
    return 0;
  }
}
