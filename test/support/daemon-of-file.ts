import { afterAll, beforeAll, expect } from 'vitest';
import { connect, type BerthClient } from '../../clients/typescript/src/index.js';
import { startDaemon, type DaemonOptions, type TestDaemon } from './daemon.js';
import { ownedBy } from './docker-cli.js';

interface Started {
  daemon: TestDaemon;
  client: BerthClient;
}

/** One berthd and a client for all tests of a file; at their end it stops in order and leaves nothing in Docker. */
export function daemonOfFile(options: DaemonOptions, use: (started: Started) => void): void {
  let started: Started | undefined;
  beforeAll(async () => {
    const daemon = await startDaemon(options);
    started = { daemon, client: connect({ address: daemon.address }) };
    use(started);
  });
  afterAll(async () => {
    if (!started) return;
    const { daemon, client } = started;
    client.close();
    expect(await daemon.stop()).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
    await daemon.dispose();
  });
}
