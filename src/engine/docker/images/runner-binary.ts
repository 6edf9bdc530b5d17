import { access, cp, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../../domain/errors.js';
import { CommandError, runCommand } from './command.js';
import { hashOfFiles } from './content-hash.js';
import type { DockerCli } from './docker-cli.js';
import { makeScratch } from './scratch-directory.js';

/** Of the runner's folder, what the binary is made of. */
export const isRunnerSource = (path: string): boolean =>
  /(^|\/)(go\.mod|go\.sum|[^/]+\.(go|s))$/.test(path) &&
  !path.endsWith('_test.go') &&
  !path.startsWith('launchers/');

export interface RunnerBuild {
  /** src/runner, or the folder of another Go program that uses only the standard library. */
  source: string;
  /** Docker's (and Go's) name of the CPU. */
  architecture: string;
  cacheDir: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  report: (detail: string) => void;
  /** For a host without Go; undefined: only the host's Go will do. */
  inDocker?: {
    docker: DockerCli;
    /** Builds the throw-away image with Go in it from a context that has `source/`, and gives its reference. */
    buildImage: (fillContext: (context: string) => Promise<void>) => Promise<string>;
  };
}

/**
 * The runner for a CPU as one static file, from the cache when its sources have not changed. Built by the
 * host's Go, or in a Docker build stage where there is none. @throws BerthError IMAGE_PREPARE_FAILED when neither can
 */
export async function runnerBinary(build: RunnerBuild): Promise<string> {
  const digest = await hashOfFiles(build.source, isRunnerSource);
  const directory = join(build.cacheDir, 'runner');
  const kept = join(directory, `${digest.slice(0, 16)}-${build.architecture}`);
  if (await exists(kept)) return kept;

  await using scratch = await makeScratch(build.cacheDir);
  const made = join(scratch.path, 'runner');
  if (await hasGo(build)) {
    build.report("with the host's Go");
    await runCommand(['go', 'build', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', made, '.'], {
      cwd: build.source,
      env: { ...build.env, CGO_ENABLED: '0', GOOS: 'linux', GOARCH: build.architecture, GOFLAGS: '' },
      signal: build.signal,
      onLine: build.report,
    });
  } else if (build.inDocker !== undefined) {
    const { docker, buildImage } = build.inDocker;
    build.report('in Docker: the host has no Go');
    const image = await buildImage((context) =>
      cp(build.source, join(context, 'source'), { recursive: true }),
    );
    try {
      await docker.copyOut(image, '/runner', made);
    } finally {
      await docker.removeUnused(image);
    }
  } else {
    throw new BerthError(
      'IMAGE_PREPARE_FAILED',
      `${build.source} cannot be compiled: this host has no Go (apt-get install golang-go)`,
    );
  }
  await mkdir(directory, { recursive: true });
  await rename(made, kept);
  return kept;
}

async function hasGo(build: RunnerBuild): Promise<boolean> {
  try {
    await runCommand(['go', 'version'], { env: build.env, signal: build.signal });
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
