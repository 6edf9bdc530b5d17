import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import {
  BerthRpcError,
  connect,
  Isolation,
  type BerthClient,
  type RunResult,
} from '../../../clients/typescript/src/index.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { ownedBy } from '../../support/docker-cli.js';

let daemon: TestDaemon | undefined;
let client: BerthClient | undefined;
let closeProxy: (() => void) | undefined;

afterEach(async () => {
  client?.close();
  if (daemon !== undefined) {
    expect(await daemon.stop()).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
    await daemon.dispose();
  }
  closeProxy?.();
  daemon = client = closeProxy = undefined;
});

async function runWith(env: Record<string, string>): Promise<RunResult> {
  daemon = await startDaemon({ env, waitForPool: false });
  client = connect({ address: daemon.address });
  return client.run({
    language: 'python',
    source: { $case: 'code', value: 'print(6 * 7)' },
    isolation: Isolation.GVISOR,
  });
}

/** The same Docker, as if it were on another host. */
async function dockerOverTcp(): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = createConnection({ path: '/var/run/docker.sock', allowHalfOpen: true });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    }
    near.on('close', () => far.destroy()).pipe(far);
    far.on('close', () => near.destroy()).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeProxy = () => {
    for (const socket of open) socket.destroy();
    server.close();
  };
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('is refused where Docker has no such runtime, with how to get it', async () => {
  const failure = await runWith({ BERTH_SANDBOX_GVISOR_RUNTIME: 'not-there' }).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(BerthRpcError);
  expect(failure).toMatchObject({ reason: 'ISOLATION_UNAVAILABLE' });
  expect((failure as BerthRpcError).message).toMatch(/runtime not-there.*npm run quickstart -- --gvisor/s);
});

it('is refused where nobody can see whether limits hold', async () => {
  const failure = await runWith({ BERTH_DOCKER_HOST: await dockerOverTcp() }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ reason: 'ISOLATION_UNAVAILABLE' });
  expect((failure as BerthRpcError).message).toMatch(
    /on another host.*BERTH_SANDBOX_GVISOR_UNENFORCED_LIMITS=allow/s,
  );
});

it('is given there when the configuration allows it, and says that limits are not enforced', async () => {
  const result = await runWith({
    BERTH_DOCKER_HOST: await dockerOverTcp(),
    BERTH_SANDBOX_GVISOR_UNENFORCED_LIMITS: 'allow',
  });
  expect(result.stdout.toString()).toBe('42\n');
  expect(result.started.limitsEnforced).toBe(false);
});
