import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { docker } from './docker-cli.js';

/** What berthd makes is named after its env or its owner. Anything else is somebody else's; `npm test` looks at all of it. */
const NAMED_BY_BERTH = /^(env-|berth-)/;
const OWN = `berth-test-${process.pid}-`;

const LISTS = {
  container: ['ps', '--all', '--format', '{{.Names}}\t{{.Label "dev.berth.owner"}}\t{{.Label "berth.test"}}'],
  network: ['network', 'ls', '--format', '{{.Name}}\t{{.Label "dev.berth.owner"}}\t{{.Label "berth.test"}}'],
  volume: ['volume', 'ls', '--format', '{{.Name}}\t{{.Label "dev.berth.owner"}}\t{{.Label "berth.test"}}'],
};

/**
 * What the host has of Berth: containers, networks and volumes of Docker, by name, and below a daemon's state directory what envs
 * have on disk. A test takes it before its daemon starts and after it ended, and expects the same. What other daemons and
 * test servers own is left out: they may come and go meanwhile.
 */
export async function hostState(stateDir?: string): Promise<string[]> {
  const all: string[] = [];
  for (const [kind, args] of Object.entries(LISTS)) {
    for (const line of (await docker(...args)).split('\n').filter(Boolean)) {
      const [name = '', owner = '', testServer = ''] = line.split('\t');
      const foreign = testServer !== '' || (owner !== '' && !owner.startsWith(OWN));
      if (!foreign && NAMED_BY_BERTH.test(name)) all.push(`${kind} ${name}`);
    }
  }
  if (stateDir !== undefined) {
    const base = join(stateDir, 'envs');
    const inside = await readdir(base, { recursive: true }).catch(() => []);
    all.push(...inside.map((path) => `path ${join(base, path)}`));
  }
  return all.sort();
}
