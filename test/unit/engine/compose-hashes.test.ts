import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ComposeProject } from '../../../src/domain/env/compose/model.js';
import { ComposeHashes } from '../../../src/engine/docker/env/compose-hashes.js';
import { SilentLogger } from '../../support/silent-logger.js';

const OURS = 'a'.repeat(64);
const THEIRS = 'b'.repeat(64);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-compose-hashes-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const project = { name: 'env-1', configFile: '/envs/1.yml', services: [{ name: 'app', configHash: OURS }] };
const hashesOf = async (hashes: ComposeHashes): Promise<string[]> =>
  (await hashes.applied(project as ComposeProject, undefined)).map(({ configHash }) => configHash);

/** A `docker compose` that notes how it was called, and answers so. */
async function tool(answer: string): Promise<{ hashes: ComposeHashes; calls: () => Promise<string[]> }> {
  const script = join(folder, 'compose.sh');
  await writeFile(script, `echo "$@" >> ${folder}/calls\n${answer}\n`);
  const calls = async () => (await readFile(join(folder, 'calls'), 'utf8')).trimEnd().split('\n');
  return { hashes: new ComposeHashes(new SilentLogger(), ['sh', script]), calls };
}

it('of a tool that counts as Berth does are asked for once', async () => {
  const { hashes, calls } = await tool(`echo app ${OURS}`);
  expect(await hashesOf(hashes)).toEqual([OURS]);
  expect(await hashesOf(hashes)).toEqual([OURS]);
  expect(await calls()).toEqual(['--file /envs/1.yml --project-name env-1 config --hash *']);
});

it('of another release are taken from it, for each project', async () => {
  const { hashes, calls } = await tool(`echo app ${THEIRS}`);
  expect(await hashesOf(hashes)).toEqual([THEIRS]);
  expect(await hashesOf(hashes)).toEqual([THEIRS]);
  expect(await calls()).toHaveLength(2);
});

it('are those that Berth counts where the tool fails, or is not there', async () => {
  const { hashes } = await tool('echo "no such command" >&2; exit 1');
  expect(await hashesOf(hashes)).toEqual([OURS]);
  const none = new ComposeHashes(new SilentLogger(), ['berth-has-no-such-program']);
  expect(await hashesOf(none)).toEqual([OURS]);
});
