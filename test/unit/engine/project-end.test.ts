import { expect, it } from 'vitest';
import type { DockerCalls } from '../../../src/engine/docker/docker-calls.js';
import { DockerError } from '../../../src/engine/docker/docker-error.js';
import { LogHolds } from '../../../src/engine/docker/env/log-holds.js';
import { ProjectEnd } from '../../../src/engine/docker/env/project-end.js';
import type { DockerCall } from '../../../src/engine/docker/worker/call-messages.js';
import { SilentLogger } from '../../support/silent-logger.js';

/** App, a job that has ended, and the database that does not stop; each depends on the next. */
const CONTAINERS = [
  { id: 'app', state: 'running', needs: 'job' },
  { id: 'job', state: 'exited', needs: 'db' },
  { id: 'db', state: 'running', needs: '' },
].map(({ id, state, needs }) => ({
  ...{ id, name: id, state },
  labels: {
    'com.docker.compose.service': id,
    'com.docker.compose.depends_on': needs && `${needs}:service_started:false`,
  },
}));

it('starts again what had run where something does not stop, and not what had ended before', async () => {
  const asked: string[] = [];
  const run = async (call: DockerCall): Promise<unknown> => {
    if (call.op === 'listContainers') return CONTAINERS;
    if (!('id' in call)) throw new Error(`nobody needs ${call.op}`);
    if (call.op === 'inspectContainer') return CONTAINERS.find(({ id }) => id === call.id);
    asked.push(`${call.op} ${call.id}`);
    if (asked.at(-1) !== 'stopContainer db') return null;
    throw new DockerError({ code: 'docker', status: 500, message: 'did not receive an exit event' });
  };
  const end = new ProjectEnd({
    calls: { run } as unknown as DockerCalls,
    availability: { onDeparture: () => () => {} },
    holds: new LogHolds(),
    owner: 'test',
    measures: { forget: () => {} },
    logger: new SilentLogger(),
  });
  await expect(end.stop('env', undefined, { allOrNothing: true })).rejects.toMatchObject({
    reason: 'CONTAINER_STOP_FAILED',
  });
  expect(asked).toEqual([
    'stopContainer app',
    'stopContainer job',
    'stopContainer db',
    'startContainer db',
    'startContainer app',
  ]);
  // An undo that stops wants nothing of it to run.
  asked.length = 0;
  await expect(end.stop('env')).rejects.toMatchObject({ reason: 'CONTAINER_STOP_FAILED' });
  expect(asked).toEqual(['stopContainer app', 'stopContainer job', 'stopContainer db']);
});
