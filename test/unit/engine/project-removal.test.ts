import { expect, it } from 'vitest';
import type { DepartureListener } from '../../../src/engine/docker/availability.js';
import type { DockerCalls } from '../../../src/engine/docker/docker-calls.js';
import { DockerError } from '../../../src/engine/docker/docker-error.js';
import { LogHolds } from '../../../src/engine/docker/env/log-holds.js';
import { removeProject } from '../../../src/engine/docker/env/project-removal.js';
import type { DockerCall } from '../../../src/engine/docker/worker/call-messages.js';
import { deferred } from '../../../src/lib/deferred.js';

const CONTAINER = { id: 'c', name: 'app', labels: {}, state: 'running' };
const NETWORK = { id: 'n', name: 'net', labels: {}, internal: false, subnets: [], containerIds: ['other'] };
const VOLUME = { name: 'data', mountpoint: '', labels: {} };
const THINGS = { containers: [CONTAINER], networks: [NETWORK], volumes: [VOLUME] };

const IN_USE = new DockerError({ code: 'docker', status: 403, message: 'network n has active endpoints' });

/** Docker that answers a call when the test says so; what is not held is answered at once. */
class Docker {
  readonly asked: string[] = [];
  readonly held = new Map<string, Promise<void>>();
  /** What it says to the next that want a network removed. */
  readonly refusals: Error[] = [];
  tell: DepartureListener = () => {};
  listening = false;

  readonly tools = {
    calls: { run: (call: DockerCall) => this.#answer(call) } as unknown as DockerCalls,
    availability: {
      onDeparture: (listener: DepartureListener) => {
        this.tell = listener;
        this.listening = true;
        return () => (this.listening = false);
      },
    },
    holds: new LogHolds(),
  };

  /** Everything that can go on has gone on. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }

  async #answer({ op }: DockerCall): Promise<unknown> {
    this.asked.push(op);
    await this.held.get(op);
    const refusal = op === 'removeNetwork' && this.refusals.shift();
    if (refusal) throw refusal;
    return op === 'inspectNetwork' ? NETWORK : null;
  }
}

function removal(docker: Docker, stop?: () => Promise<boolean>) {
  const removed: string[] = [];
  const done = removeProject(docker.tools, THINGS, stop, ({ kind }) => removed.push(kind));
  return { removed, done };
}

it('removes a network when its last container has left it, and not before', async () => {
  const docker = new Docker();
  const stopping = deferred<boolean>();
  const { removed, done } = removal(docker, () => stopping.promise);
  await docker.settled();
  docker.tell('n', 'another container');
  docker.tell('another network', 'c');
  await docker.settled();
  expect(docker.asked).toEqual([]);
  docker.tell('n', 'c');
  await docker.settled();
  expect(removed).toEqual(['network']);
  stopping.resolve(true);
  await done;
  expect(removed).toEqual(['network', 'container', 'volume']);
  expect(docker.listening).toBe(false);
});

it('does not need to be told: a container that has stopped, or is gone, is in no network', async () => {
  const stopped = new Docker();
  const hold = deferred();
  stopped.held.set('removeContainer', hold.promise);
  const first = removal(stopped, async () => true);
  await stopped.settled();
  expect(first.removed).toEqual(['network']);
  hold.resolve();
  await first.done;

  const killed = new Docker();
  const second = removal(killed);
  await second.done;
  expect(second.removed.toSorted()).toEqual(['container', 'network', 'volume']);
});

it('parts from a network what else is in it, and asks who is only where Docker says that somebody is', async () => {
  const docker = new Docker();
  docker.refusals.push(IN_USE);
  const { removed, done } = removal(docker, async () => true);
  await done;
  expect(removed.toSorted()).toEqual(['container', 'network', 'volume']);
  const aboutNetworks = ['removeNetwork', 'inspectNetwork', 'disconnectNetwork', 'removeNetwork'];
  expect(docker.asked.filter((op) => aboutNetworks.includes(op))).toEqual(aboutNetworks);
});

it('leaves its network to a container that did not stop until it is killed', async () => {
  const docker = new Docker();
  const hold = deferred();
  docker.held.set('removeContainer', hold.promise);
  const { removed, done } = removal(docker, async () => false);
  await docker.settled();
  expect(docker.asked).toEqual(['removeContainer']);
  hold.resolve();
  await done;
  expect(removed.toSorted()).toEqual(['container', 'network', 'volume']);
});

it('tries a network again that a container had come back to, when the container is gone', async () => {
  const docker = new Docker();
  const hold = deferred();
  docker.held.set('removeContainer', hold.promise);
  docker.refusals.push(IN_USE, IN_USE);
  const { removed, done } = removal(docker, async () => true);
  await docker.settled();
  expect(removed).toEqual([]);
  expect(docker.refusals).toEqual([]);
  hold.resolve();
  await done;
  expect(removed.toSorted()).toEqual(['container', 'network', 'volume']);
});

it('removes what can be removed, and throws what could not', async () => {
  const docker = new Docker();
  const busy = new DockerError({ code: 'docker', status: 500, message: 'device busy' });
  docker.held.set('removeContainer', Promise.reject(busy));
  const { removed, done } = removal(docker, async () => true);
  await expect(done).rejects.toBe(busy);
  expect(removed).toEqual(['network']);
});
