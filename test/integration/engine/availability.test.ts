import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import type { DockerState } from '#dist/src/engine/docker/availability.js';
import { createDockerEngine, type DockerEngine } from '#dist/src/engine/docker/create-docker-engine.js';
import { deferred } from '../../../src/lib/deferred.js';
import { SilentLogger } from '../../support/silent-logger.js';

const REAL_SOCKET = '/var/run/docker.sock';

/** A socket of our own in front of Docker's: Docker comes and goes as the test wants. */
class DockerProxy {
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #closed: Promise<unknown> | undefined;

  constructor(readonly socketPath: string) {}

  async up(): Promise<void> {
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      const docker = connect({ path: REAL_SOCKET, allowHalfOpen: true });
      for (const [from, to] of [
        [client, docker],
        [docker, client],
      ] as const) {
        this.#connections.add(from);
        from.on('close', () => {
          this.#connections.delete(from);
          to.destroy();
        });
        from.on('error', () => to.destroy());
        from.pipe(to);
      }
    }).listen(this.socketPath);
    await once(this.#server, 'listening');
  }

  /** As Docker while it shuts down: what is open goes on, and nothing listens any more. */
  deaf(): void {
    this.#closed = this.#server && once(this.#server, 'close');
    this.#server?.close();
  }

  async down(): Promise<void> {
    if (!this.#closed) this.deaf();
    for (const connection of this.#connections) connection.destroy();
    await this.#closed;
    this.#closed = undefined;
    this.#server = undefined;
    await rm(this.socketPath, { force: true });
  }
}

let socketPath: string;
let engine: DockerEngine | undefined;
beforeEach(() => {
  socketPath = path.join(tmpdir(), `berth-docker-${randomBytes(4).toString('hex')}.sock`);
});
afterEach(async () => {
  await engine?.close();
  engine = undefined;
});

async function connectEngine(dockerHost = `unix://${socketPath}`): Promise<DockerEngine> {
  engine = await createDockerEngine({
    dockerHost,
    owner: 'engine-test-availability',
    seccompProfilePath: '/nonexistent',
    hostsFile: '/nonexistent',
    callThreads: 1,
    streamThreads: 1,
    maxStreams: 8,
    logger: new SilentLogger(),
  });
  return engine;
}

function nextState(of: DockerEngine, state: DockerState['state']): Promise<DockerState> {
  const change = deferred<DockerState>();
  const end = of.availability.onChange((now) => {
    if (now.state !== state) return;
    end();
    change.resolve(now);
  });
  return change.promise;
}

describe('Docker', () => {
  it('is away at first, comes, goes and comes back', async () => {
    const proxy = new DockerProxy(socketPath);
    const docker = await connectEngine();
    expect(docker.availability.state).toMatchObject({
      state: 'down',
      reason: expect.stringMatching(/ENOENT.*systemctl start docker/),
    });
    await expect(docker.envs.listOwned()).rejects.toMatchObject({
      reason: 'DOCKER_UNAVAILABLE',
      message: expect.stringContaining(socketPath),
    });
    await expect(
      docker.envs.watch(
        'env-000000000000',
        () => undefined,
        () => undefined,
      ),
    ).rejects.toMatchObject({ reason: 'DOCKER_UNAVAILABLE' });

    const up = nextState(docker, 'up');
    await proxy.up();
    expect(await up).toMatchObject({ apiVersion: '1.41', version: expect.stringMatching(/^\d+\.\d+/) });
    expect(await docker.envs.listOwned()).toEqual([]);

    const watchEnd = deferred<Error | undefined>();
    await docker.envs.watch('env-000000000000', () => undefined, watchEnd.resolve);
    const down = nextState(docker, 'down');
    await proxy.down();
    expect((await down) as object).toHaveProperty('reason');
    expect(await watchEnd.promise).toMatchObject({ reason: 'DOCKER_UNAVAILABLE' });
    await expect(docker.sandboxes.removeStrays(() => false)).rejects.toMatchObject({
      reason: 'DOCKER_UNAVAILABLE',
    });

    const upAgain = nextState(docker, 'up');
    await proxy.up();
    await upAgain;
    expect(await docker.sandboxes.removeStrays(() => false)).toEqual([]);
    await docker.close();
    engine = undefined;
    await proxy.down();
  });

  it('is away as soon as nothing listens any more, though its event stream goes on', async () => {
    const proxy = new DockerProxy(socketPath);
    await proxy.up();
    const docker = await connectEngine();
    const down = nextState(docker, 'down');
    proxy.deaf();
    expect(await down).toMatchObject({ reason: expect.stringMatching(/ENOENT.*systemctl start docker/) });
    await proxy.down();
    const up = nextState(docker, 'up');
    await proxy.up();
    await up;
    await docker.close();
    engine = undefined;
    await proxy.down();
  });

  it('is reached over TCP as well', async () => {
    const proxy = createServer((client) => {
      const docker = connect(REAL_SOCKET);
      client.pipe(docker).pipe(client);
      client.on('error', () => docker.destroy());
      docker.on('error', () => client.destroy());
      client.on('close', () => docker.destroy());
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = proxy.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const docker = await connectEngine(`tcp://127.0.0.1:${port}`);
    expect(docker.availability.state.state).toBe('up');
    expect(await docker.envs.listOwned()).toEqual([]);
    await docker.close();
    engine = undefined;
    proxy.close();
  });

  it('is refused when it is too old, and says so', async () => {
    const old = createHttpServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ Version: '19.03.15', ApiVersion: '1.40', MinAPIVersion: '1.12' }));
    }).listen(socketPath);
    await once(old, 'listening');
    const docker = await connectEngine();
    expect(docker.availability.state).toMatchObject({
      state: 'down',
      reason: expect.stringMatching(/19\.03\.15.*too old.*20\.10/),
    });
    await expect(docker.envs.listOwned()).rejects.toMatchObject({
      reason: 'DOCKER_UNAVAILABLE',
      message: expect.stringContaining('19.03.15'),
    });
    await docker.close();
    engine = undefined;
    old.close();
  });

  onlyInFull(it, 'that accepts and never answers is down, not waited for', async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket)).listen(socketPath);
    await once(mute, 'listening');
    const docker = await connectEngine();
    expect(docker.availability.state).toMatchObject({
      state: 'down',
      reason: expect.stringContaining('did not answer'),
    });
    await docker.close();
    engine = undefined;
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
});
