import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import { isBerthError } from '#dist/src/domain/errors.js';
import { buildDebianBase } from '#dist/src/engine/docker/images/debian-base.js';
import { DockerCli } from '#dist/src/engine/docker/images/docker-cli.js';
import { prepareImages } from '#dist/src/engine/docker/images/prepare-images.js';
import type { PreparedImage } from '#dist/src/engine/docker/images/prepared-image.js';
import type { ImageProgress } from '#dist/src/engine/docker/images/progress.js';

const run = promisify(execFile);
const docker = async (...args: string[]) => (await run('docker', args)).stdout.trim();
const inImage = (image: string, ...command: string[]) =>
  docker('run', '--rm', '--network', 'none', '--entrypoint', command[0] ?? '', image, ...command.slice(1));

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'berth-images-'));
  // Packages that the host has downloaded before need not be downloaded again; the rest of the cache is the test's own.
  const downloaded = join(process.env['BERTH_CACHE_DIR'] ?? '/var/cache/berth', 'debs');
  if (existsSync(downloaded)) await symlink(downloaded, join(cacheDir, 'debs'));
});
afterAll(() => rm(cacheDir, { recursive: true }));

async function prepare(want: Parameters<typeof prepareImages>[0]['want'], env?: NodeJS.ProcessEnv) {
  const progress: ImageProgress[] = [];
  const images = await prepareImages({
    want,
    cacheDir,
    env,
    onProgress: (step) => progress.push(step),
    signal: new AbortController().signal,
  });
  return { images, progress };
}

describe('prepareImages', () => {
  let images: PreparedImage[];
  beforeAll(async () => {
    ({ images } = await prepare(['python:3.11-slim', 'node:20-slim', 'mysql', 'berth/sandbox-python:3.11']));
  }, 600_000);
  const reference = (name: string) => images.find((image) => image.name === name)?.reference ?? 'none';

  it('a second call only looks: same ids, nothing fresh, no download, at once', async () => {
    const startedMs = performance.now();
    const again = await prepare(images.map(({ name }) => name));
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(again.images.map(({ id }) => id)).toEqual(images.map(({ id }) => id));
    expect(again.images.map(({ fresh }) => fresh)).toEqual([false, false, false, false]);
    expect(new Set(again.progress.map(({ phase }) => phase))).toEqual(new Set(['checking', 'ready']));
  });

  it('python has the interpreter under its usual names, pip that may install, and venv', async () => {
    const image = reference('python:3.11-slim');
    expect(
      await inImage(image, 'python', '-c', 'import sys, ssl, sqlite3; print(sys.version_info[:2])'),
    ).toBe('(3, 11)');
    expect(await inImage(image, 'python3', '-m', 'venv', '/tmp/v')).toBe('');
    expect(await inImage(image, 'pip', 'install', '--dry-run', '--no-index', 'pip')).toMatch(
      /already satisfied/,
    );
  });

  it('node is the real version 20 with npm', async () => {
    const image = reference('node:20-slim');
    expect(await inImage(image, 'node', '-p', 'process.versions.node')).toMatch(/^20\./);
    expect(await inImage(image, 'npm', '--version')).toMatch(/^\d+\./);
  });

  it('the tag of the database does not lie about its version', async () => {
    const [, version] = /^mysql:(\d+)/.exec(reference('mysql')) ?? [];
    expect(await inImage(reference('mysql'), 'mysqld', '--version')).toContain(`Ver ${version}.`);
  });

  it('a sandbox image starts the runner as its main process, and has the launcher', async () => {
    const image = 'berth/sandbox-python:3.11';
    expect(
      JSON.parse(await docker('image', 'inspect', '--format', '{{json .Config.Entrypoint}}', image)),
    ).toEqual(['/berth/runner']);
    expect(await inImage(image, 'ls', '/berth/launchers/__pycache__')).toContain(
      'berth_python.cpython-311.pyc',
    );
    // A static binary has no interpreter segment; ldd says so and fails.
    await expect(inImage(image, 'ldd', '/berth/runner')).rejects.toMatchObject({
      stderr: expect.stringContaining('not a dynamic executable') as unknown,
    });
  });

  it('what was built carries labels, and nothing of the build host', async () => {
    for (const { reference, source } of images.filter((image) => image.source === 'built')) {
      const [image] = JSON.parse(await docker('image', 'inspect', reference)) as [
        { Config: { Labels: Record<string, string>; Env: string[] } },
      ];
      expect(image.Config.Labels['dev.berth.image.source']).toBe(source);
      expect(image.Config.Labels['dev.berth.image.recipe']).toMatch(/^[0-9a-f]{64}$/);
      const history = await docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', reference);
      expect(`${history}\n${image.Config.Env.join('\n')}`).not.toMatch(/proxy|SSL_CERT|_CA_/i);
    }
  });
});

describe('failures', () => {
  it('Docker that does not answer is named, with what to do', async () => {
    const failed = prepare(['python:3.11-slim'], {
      ...process.env,
      DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    });
    await expect(failed).rejects.toSatisfy((error) => isBerthError(error, 'DOCKER_UNAVAILABLE'));
    await expect(failed).rejects.toThrow(/systemctl start docker/);
  });

  onlyInFull(
    it,
    'an aborted bootstrap leaves neither files, mounts nor an image',
    async () => {
      const cancel = new AbortController();
      const tag = 'berth/debian:aborted-by-test';
      const env = process.env;
      const building = buildDebianBase({
        suite: 'bookworm',
        tag,
        recipe: 'test',
        architecture: await docker('version', '--format', '{{.Server.Arch}}'),
        sources: { mirror: await mirrorOfBase(), lines: [] },
        overlay: '/nonexistent',
        cacheDir,
        network: { env: {}, buildArgs: {}, network: undefined },
        env,
        docker: new DockerCli(env, cancel.signal),
        signal: cancel.signal,
        report: (_, detail) => {
          // By then it has mounted /proc and /sys inside its target.
          if (detail.startsWith('Unpacking the base system') || detail.startsWith('Configuring'))
            cancel.abort();
        },
      });
      await expect(building).rejects.toSatisfy((error) => isBerthError(error, 'CANCELLED'));
      expect(await readdir(join(cacheDir, 'scratch'))).toEqual([]);
      expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(cacheDir);
      expect(await docker('images', '--quiet', tag)).toBe('');
    },
    300_000,
  );
});

/** The mirror that this host's images were built from. */
async function mirrorOfBase(): Promise<string | undefined> {
  const sources = await inImage('berth/debian:bookworm', 'cat', '/etc/apt/sources.list');
  return /^deb (\S+) bookworm main/.exec(sources)?.[1];
}
