// Every container that a berthd ever had in the time of a watch, also one that lived for a moment: by Docker's events.
import { run } from '../../../src/cli/setup/processes.mjs';

/** @returns {Promise<{ids: Set<string>, close: () => void}>} */
export async function watchContainers(docker, owner) {
  const label = `dev.berth.owner=${owner}`;
  const ids = new Set(await containersOf(owner));
  const stream = await docker.getEvents({
    filters: { type: ['container'], event: ['create'], label: [label] },
  });
  let rest = '';
  stream.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines.filter(Boolean)) ids.add(JSON.parse(line).Actor.ID);
  });
  stream.on('error', () => {});
  return { ids, close: () => stream.destroy() };
}

/** Those there are now, running or not. */
export async function containersOf(owner) {
  return listed(['ps', '--all', '--quiet', '--no-trunc'], owner);
}

/** Everything in Docker that carries an owner's label, for people. */
export async function ownedBy(owner) {
  const kinds = {
    container: ['ps', '--all', '--quiet'],
    network: ['network', 'ls', '--quiet'],
    volume: ['volume', 'ls', '--quiet'],
  };
  const all = [];
  for (const [kind, args] of Object.entries(kinds))
    for (const id of await listed(args, owner)) all.push(`${kind} ${id}`);
  return all;
}

async function listed(args, owner) {
  const { code, stdout, tail } = await run(['docker', ...args, '--filter', `label=dev.berth.owner=${owner}`]);
  if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${tail}`);
  return stdout.split('\n').filter(Boolean);
}
