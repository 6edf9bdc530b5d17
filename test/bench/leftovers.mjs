// Removes from Docker whatever a run of the benchmark, its berthd or a peer, has left, also after a failure or Ctrl-C.
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from '../../src/cli/setup/host.mjs';
import { must, run } from '../../src/cli/setup/processes.mjs';

/** On everything that peers make. Not berthd's own label: it would take what it does not know for a stray. */
export const PEER_LABEL = 'dev.berth.bench';
const OWNER_LABEL = 'dev.berth.owner';

const ATTEMPTS = 40;
const PAUSE_MS = 250;

const KINDS = [
  { list: ['ps', '--all', '--quiet'], remove: ['rm', '--force', '--volumes'] },
  { list: ['network', 'ls', '--quiet'], remove: ['network', 'rm'] },
  { list: ['volume', 'ls', '--quiet'], remove: ['volume', 'rm', '--force'] },
];

/** @param {string} id of the run: the value of both labels */
export async function removeLabelled(id) {
  // Containers first: networks and volumes cannot go while one uses them.
  for (const { list, remove } of KINDS) {
    for (const label of [PEER_LABEL, OWNER_LABEL]) {
      await removeAll(
        async () => {
          const { stdout } = await must(['docker', ...list, '--filter', `label=${label}=${id}`]);
          return stdout.split('\n').filter(Boolean);
        },
        (found) => run(['docker', ...remove, ...found]),
      );
    }
  }
}

/** Again until nothing is found: what Docker is still making or removing for a killed berthd refuses to go. */
async function removeAll(find, remove) {
  let tail = '';
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await find();
    if (found.length === 0) return;
    ({ tail } = await remove(found));
    await delay(PAUSE_MS);
  }
  throw new SetupError(`Docker does not let everything go that this run made; its last words:\n${tail}`);
}
