import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { SandboxSpec } from '../../../src/domain/sandbox/spec.js';

const run = promisify(execFile);
const MIB = 1024 * 1024;

export const DOCKER_HOST = 'unix:///var/run/docker.sock';

export const docker = async (...args: string[]): Promise<string> =>
  (await run('docker', args, { maxBuffer: 64 * MIB })).stdout.trim();

/** What a test file works with: an image of one static program, an owner of its own, a place for files. */
export interface Bench {
  owner: string;
  image: string;
  imageDigest: string;
  directory: string;
  seccompProfilePath: string;
  hostsFile: string;
  /** Fails when anything with the owner's label is left. */
  expectNothingLeft(): Promise<void>;
  /** Removes the image and the files. */
  close(): Promise<void>;
}

export async function makeBench(): Promise<Bench> {
  const id = randomBytes(4).toString('hex');
  const owner = `engine-test-${id}`;
  const image = `berth-test/engine:${id}`;
  const directory = await mkdtemp(path.join(tmpdir(), 'berth-engine-'));
  const seccompProfilePath = path.join(directory, 'seccomp.json');
  await writeFile(seccompProfilePath, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW' }));
  const hostsFile = path.join(directory, 'hosts');
  await writeFile(hostsFile, '127.0.0.1\tlocalhost\n');
  await mkdir(path.join(directory, 'root/berth'), { recursive: true });
  const source = path.join(import.meta.dirname, 'fixtures/container.go');
  await run('go', ['build', '-o', path.join(directory, 'root/berth/runner'), source], {
    env: { ...process.env, CGO_ENABLED: '0' },
  });
  const archive = path.join(directory, 'root.tar');
  await run('tar', ['-C', path.join(directory, 'root'), '-cf', archive, 'berth']);
  const imageDigest = await docker('import', '--change', 'EXPOSE 8080 443', archive, image);
  return {
    owner,
    image,
    imageDigest,
    directory,
    seccompProfilePath,
    hostsFile,
    async expectNothingLeft() {
      const filter = ['--filter', `label=dev.berth.owner=${owner}`, '--format'];
      const containers = await docker('ps', '-a', ...filter, '{{.Names}} {{.Status}}');
      await removeContainersOf(owner);
      expect(containers).toBe('');
      expect(await docker('network', 'ls', ...filter, '{{.Name}}')).toBe('');
      expect(await docker('volume', 'ls', ...filter, '{{.Name}}')).toBe('');
    },
    async close() {
      await removeContainersOf(owner);
      await docker('rmi', image);
      await rm(directory, { recursive: true });
    },
  };
}

/** So that the leak of one test is not found again by the next. */
async function removeContainersOf(owner: string): Promise<void> {
  const left = await docker('ps', '-aq', '--filter', `label=dev.berth.owner=${owner}`);
  if (left !== '') await docker('rm', '-f', ...left.split('\n'));
}

/** @param mode what the container's program does, and its argument */
export function sandboxSpec(bench: Bench, ...mode: string[]): SandboxSpec {
  return {
    image: bench.image,
    imageDigest: bench.imageDigest,
    languages: mode,
    limits: {
      memoryBytes: 64 * MIB,
      cpuMillis: 500,
      processes: 64,
      tmpfsBytes: MIB,
      tmpfsInodes: 256,
      shmBytes: MIB,
    },
    network: 'none',
    isolation: 'reuse',
  };
}

export const newSandboxId = (): string => `sbx-${randomBytes(8).toString('hex')}`;
