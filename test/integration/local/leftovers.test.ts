import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '#dist/src/config/load.js';
import { cgroupsOf, processesWith, startEngine, startSandbox } from './support.js';

const FIXTURE = path.join(import.meta.dirname, 'fixtures/engine-process.mjs');
const CACHE = process.env['BERTH_CACHE_DIR'] ?? loadConfig({}).cache.dir;

it('a daemon that is killed takes its sandboxes along; the next one removes what is left', async () => {
  const owner = `local-test-${randomBytes(4).toString('hex')}`;
  const daemon = spawn(process.execPath, [FIXTURE, owner, CACHE], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(daemon.stdout, 'data');
  const before = membersOf(owner);
  // Runner, zygote, and three of the program's.
  expect(before.length).toBeGreaterThanOrEqual(5);
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');

  const engine = await startEngine({}, owner);
  expect(engine.problem).toBe('');
  expect(membersOf(owner)).toEqual([]);
  expect(before.filter(lives)).toEqual([]);
  expect(processesWith(owner)).toEqual([]);
  await engine.close();
  expect(cgroupsOf(owner)).toEqual([]);
});

it('strays are those that nobody knows and that are not this engine’s own', async () => {
  const engine = await startEngine();
  await using sandbox = await startSandbox(engine);
  const stray = await startStray(engine.owner);
  expect(await engine.sandboxes.removeStrays((id) => id === 'sbx_known')).toEqual(['sbx_stray']);
  expect(await stray.exited).toEqual([null, 'SIGKILL']);
  expect((await sandbox.python('print("lives")')).stdout).toBe('lives\n');
  await engine.close();
});

/** A process in cgroups of the name that a sandbox of the owner would have. */
async function startStray(owner: string): Promise<{ exited: Promise<unknown[]> }> {
  const directories = cgroupsOf(owner).map((directory) => path.join(directory, 'sbx_stray'));
  const join = directories
    .map((directory) => `mkdir ${directory} && echo $$ > ${directory}/cgroup.procs`)
    .join(' && ');
  const child = spawn('sh', ['-c', `${join} && echo there && exec sleep 1000`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  return { exited };
}

/** Ended processes may wait to be reaped by the host's process 1. */
function lives(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

function membersOf(owner: string): string[] {
  const lines = cgroupsOf(owner).flatMap((directory) => {
    try {
      return readFileSync(path.join(directory, 'sbx_killed/cgroup.procs'), 'latin1').trim().split('\n');
    } catch {
      return [];
    }
  });
  return [...new Set(lines)].filter((line) => line !== '');
}
