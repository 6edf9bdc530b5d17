import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { docker } from './docker-cli.js';

/** Named by Docker itself, so nothing tells whose they are; `npm test` looks for them at its end. */
const ANONYMOUS_VOLUME = /^[0-9a-f]{64}$/;
const OWN = `berth-test-${process.pid}-`;

const LISTS = {
  container: ['ps', '--all', '--format', '{{.Names}}\t{{.Label "dev.berth.owner"}}\t{{.Label "berth.test"}}'],
  network: ['network', 'ls', '--format', '{{.Name}}\t{{.Label "dev.berth.owner"}}\t{{.Label "berth.test"}}'],
  volume: ['volume', 'ls', '--format', '{{.Name}}\t{{.Label "dev.berth.owner"}}\t{{.Label "berth.test"}}'],
};

/**
 * What the host has: containers, networks and volumes of Docker, by name, and below a daemon's state directory what envs
 * have on disk. A test takes it before its daemon starts and after it ended, and expects the same. What other daemons and
 * test servers own is left out: they may come and go meanwhile.
 */
export async function hostState(stateDir?: string): Promise<string[]> {
  const all: string[] = [];
  for (const [kind, args] of Object.entries(LISTS)) {
    for (const line of (await docker(...args)).split('\n').filter(Boolean)) {
      const [name = '', owner = '', testServer = ''] = line.split('\t');
      const foreign = testServer !== '' || (owner !== '' && !owner.startsWith(OWN));
      if (!foreign && !(kind === 'volume' && ANONYMOUS_VOLUME.test(name))) all.push(`${kind} ${name}`);
    }
  }
  if (stateDir !== undefined) {
    const base = join(stateDir, 'envs');
    const inside = await readdir(base, { recursive: true }).catch(() => []);
    all.push(...inside.map((path) => `path ${join(base, path)}`));
  }
  return all.sort();
}
