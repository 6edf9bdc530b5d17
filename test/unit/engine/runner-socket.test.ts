import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../src/lib/deferred.js';
import { RunnerSocket } from '../../../src/engine/docker/sandbox/runner-socket.js';

const head = (count: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(count));
  return bytes;
};

describe('RunnerSocket', () => {
  let directory: string;
  let file: string;
  let server: Server;
  let peers: Socket[];
  let socket: RunnerSocket | undefined;
  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'berth-socket-'));
    file = path.join(directory, 'socket');
    peers = [];
    server = createServer((peer) => peers.push(peer)).listen(file);
    await once(server, 'listening');
  });
  afterEach(async () => {
    socket?.destroy();
    for (const peer of peers) peer.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  /** What the receiver got, and a wait until it is so much. */
  function receiver(): {
    text: string;
    wasClosed: Promise<void>;
    until(text: string): Promise<void>;
    bytes(chunk: Uint8Array): void;
    closed(): void;
  } {
    const end = deferred<void>();
    let check = (): void => undefined;
    return {
      text: '',
      wasClosed: end.promise,
      until(text) {
        return new Promise((resolve) => {
          check = () => this.text === text && resolve();
          check();
        });
      },
      bytes(chunk) {
        this.text += Buffer.from(chunk).toString();
        check();
      },
      closed: () => end.resolve(),
    };
  }

  async function connected(): Promise<Socket> {
    if (peers.length === 0) await once(server, 'connection');
    return peers[0]!;
  }

  /** Exactly so many bytes. */
  async function take(peer: Socket, count: number): Promise<Buffer> {
    for (;;) {
      const bytes = peer.read(count) as Buffer | null;
      if (bytes) return bytes;
      await once(peer, 'readable');
    }
  }

  it('is in use from the runner’s first word on, and says how much went the old way', async () => {
    const to = receiver();
    let sent = 5;
    socket = new RunnerSocket(file, () => sent, 3, to);
    const peer = await connected();
    expect(socket.inUse).toBe(false);
    sent = 7;
    // Cut in the middle of the number.
    peer.write(head(3).subarray(0, 5));
    peer.write(Buffer.concat([head(3).subarray(5), Buffer.from('abc')]));
    await to.until('abc');
    expect(socket.inUse).toBe(true);
    socket.write(Buffer.from('start'));
    expect(await take(peer, 13)).toEqual(Buffer.concat([head(7), Buffer.from('start')]));
  });

  it('keeps what comes through it until all has come the old way', async () => {
    const to = receiver();
    socket = new RunnerSocket(file, () => 0, 3, to);
    const peer = await connected();
    peer.write(Buffer.concat([head(10), Buffer.from('later')]));
    await take(peer, 8);
    socket.cameOldWay(5);
    expect(to.text).toBe('');
    socket.cameOldWay(2);
    expect(to.text).toBe('later');
    peer.write(' and on');
    await to.until('later and on');
  });

  it('tells its end only when it was in use', async () => {
    const to = receiver();
    socket = new RunnerSocket(file, () => 0, 0, to);
    const peer = await connected();
    peer.write(head(0));
    await take(peer, 8);
    peer.destroy();
    await to.wasClosed;

    const other = receiver();
    void other.wasClosed.then(() => expect.unreachable('it never was in use'));
    const refused = new RunnerSocket(path.join(directory, 'none'), () => 0, 0, other);
    expect(refused.inUse).toBe(false);
  });
});
