import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '#dist/src/config/load.js';
import { UidAllocator } from '#dist/src/domain/pool/uid-allocator.js';
import type { EndedBody } from '#dist/src/domain/sandbox/execution.js';
import { Sandbox } from '#dist/src/domain/sandbox/sandbox.js';
import type { SandboxLimits, SandboxSpec } from '#dist/src/domain/sandbox/spec.js';
import {
  createLocalEngine,
  type LocalConfig,
  type LocalEngine,
} from '#dist/src/engine/local/create-local-engine.js';
import { SilentLogger } from '../../support/silent-logger.js';

const MIB = 1024 * 1024;
const ROOT = path.resolve(import.meta.dirname, '../../..');
const UIDS = { first: 300_000, count: 1_000 };
const uids = new UidAllocator(UIDS.first, UIDS.count);

export const IMAGE = 'berth/sandbox-python:3.11';
export const LIMITS: SandboxLimits = {
  memoryBytes: 128 * MIB,
  cpuMillis: 1_000,
  processes: 32,
  tmpfsBytes: 8 * MIB,
  tmpfsInodes: 512,
  shmBytes: 4 * MIB,
};

/** A local engine, settled; with an owner of its own unless it is given one. */
export async function startEngine(
  config: Partial<LocalConfig> = {},
  owner = `local-test-${randomBytes(4).toString('hex')}`,
): Promise<LocalEngine & { owner: string }> {
  const defaults = loadConfig({ BERTH_CACHE_DIR: process.env['BERTH_CACHE_DIR'] });
  const engine = await createLocalEngine({
    owner,
    root: ROOT,
    cacheDir: defaults.cache.dir,
    seccompProfilePath: path.join(ROOT, 'templates/seccomp/sandbox.json'),
    images: [IMAGE],
    executionUids: UIDS,
    config: { ...defaults.local, ...config },
    logger: new SilentLogger(),
  });
  await engine.settled;
  return Object.assign(engine, { owner });
}

export async function localSpec(
  engine: LocalEngine,
  limits: Partial<SandboxLimits> = {},
): Promise<SandboxSpec> {
  return {
    image: IMAGE,
    imageDigest: await engine.sandboxes.resolveImage(IMAGE),
    languages: ['python'],
    limits: { ...LIMITS, ...limits },
    network: 'none',
    isolation: 'reuse',
  };
}

export async function startSandbox(
  engine: LocalEngine,
  limits: Partial<SandboxLimits> = {},
): Promise<LocalTestSandbox> {
  const id = `sbx_${randomBytes(4).toString('hex')}`;
  const spec = await localSpec(engine, limits);
  const sandbox = await Sandbox.create(engine.sandboxes, uids, id, spec, AbortSignal.timeout(240_000));
  return new LocalTestSandbox(sandbox);
}

export interface Outcome {
  stdout: string;
  stderr: string;
  end: Pick<EndedBody, 'reason' | 'exitCode' | 'signal' | 'message' | 'usage'>;
  startPath: string;
}

/** A sandbox that programs are run in one after the other, with the reset between them that a pool does. */
export class LocalTestSandbox implements AsyncDisposable {
  constructor(readonly sandbox: Sandbox) {}

  python(code: string, options: { wallMs?: number; env?: Record<string, string> } = {}): Promise<Outcome> {
    return this.#run({ code: Buffer.from(code), argv: [] }, options);
  }

  command(...argv: string[]): Promise<Outcome> {
    return this.#run({ code: undefined, argv }, {});
  }

  async #run(
    program: { code: Buffer | undefined; argv: string[] },
    { wallMs = 20_000, env = {} }: { wallMs?: number; env?: Record<string, string> },
  ): Promise<Outcome> {
    if (this.sandbox.uses > 0) await this.sandbox.reset(10_000);
    const output = { stdout: '', stderr: '' };
    let startPath = '';
    const { done } = this.sandbox.start(
      {
        ...program,
        isCommand: program.code === undefined,
        language: 'python',
        entry: 'main.py',
        cwd: '/workspace',
        env,
        files: [],
        stdin: new Uint8Array(0),
        limits: { ...NO_LIMITS, wallMs },
        outputCredit: 16 * MIB,
      },
      {
        onStarted: (how) => (startPath = how),
        onOutput: (stream, data) => (output[stream] += Buffer.from(data).toString()),
      },
    );
    const end = await done;
    if (end.kind === 'lost') throw new Error(`the sandbox was lost: ${end.loss.message}`);
    return { ...output, end: end.body, startPath };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.destroy();
  }
}

const NO_LIMITS = {
  wallMs: 20_000,
  cpuMs: 0,
  memoryBytes: 0,
  cpuMillis: 0,
  processes: 0,
  outputBytes: 16 * MIB,
  fileBytes: 0,
  scratchBytes: 0,
};

/** Directories of cgroups that carry the owner's name, in every hierarchy. */
export function cgroupsOf(owner: string): string[] {
  const root = '/sys/fs/cgroup';
  const hierarchies = existsSync(path.join(root, 'cgroup.controllers')) ? [''] : readdirSync(root);
  return hierarchies
    .map((name) => path.join(root, name, 'berth', owner))
    .filter((directory) => existsSync(directory));
}

/** Ids of the processes of this host whose command line has the text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLine(pid).includes(text));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
