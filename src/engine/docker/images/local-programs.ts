import { join } from 'node:path';
import { runnerBinary } from './runner-binary.js';

/** Paths of the compiled programs of the local engine. */
export interface LocalPrograms {
  runner: string;
  /** `src/engine/local/enclosure`. */
  enclosure: string;
}

/** Folders of their sources below the checkout. */
export function localProgramSources(root: string): LocalPrograms {
  return { runner: join(root, 'src/runner'), enclosure: join(root, 'src/engine/local/enclosure') };
}

/**
 * The programs of the local engine, from the cache (`berth images prepare` puts them there) or compiled with the host's Go.
 * @throws BerthError IMAGE_PREPARE_FAILED when the host has no Go, CommandError when it does not compile them, CANCELLED
 */
export async function localPrograms(options: {
  root: string;
  cacheDir: string;
  signal: AbortSignal;
}): Promise<LocalPrograms> {
  const { root, cacheDir, signal } = options;
  const compiled = (source: string): Promise<string> =>
    runnerBinary({
      source,
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      cacheDir,
      // Go wants a home for its own cache, which a service has not.
      env: {
        ...process.env,
        GOCACHE: join(cacheDir, 'go-build'),
        PATH: `${process.env.PATH}:/usr/local/go/bin`,
      },
      signal,
      report: () => undefined,
    });
  const sources = localProgramSources(root);
  return { runner: await compiled(sources.runner), enclosure: await compiled(sources.enclosure) };
}
