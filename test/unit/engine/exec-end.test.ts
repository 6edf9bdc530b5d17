import { describe, expect, it } from 'vitest';
import type { DockerCalls } from '../../../src/engine/docker/docker-calls.js';
import type {
  DockerStream,
  DockerStreams,
  StreamReceiver,
} from '../../../src/engine/docker/docker-streams.js';
import { DockerExecEngine } from '../../../src/engine/docker/env/exec-engine.js';
import type {
  CallAnswer,
  ContainerDetails,
  DockerCall,
} from '../../../src/engine/docker/worker/call-messages.js';

const COMMAND = { argv: ['sleep', '1000'], terminal: undefined, env: {}, cwd: '', user: '' };
const runs = (state: ContainerDetails['state'], exitCode = 0) =>
  ({ id: 'container', state, exitCode, startedAt: 7, tty: false }) as ContainerDetails;

/** A Docker that ends every connection at once, and answers each kind of look in turn, the last one for good. */
function engineOver(looks: { container: ContainerDetails[]; exec?: { pid: number; exitCode?: number }[] }) {
  const next = <T>(of: T[]): T => (of.length > 1 ? of.shift()! : of[0]!);
  const answers: Partial<Record<DockerCall['op'], () => unknown>> = {
    inspectContainer: () => next(looks.container),
    createExec: () => ({ id: 'exec' }),
    inspectExec: () => next(looks.exec!),
  };
  const calls: Pick<DockerCalls, 'run'> = {
    run: (call: DockerCall) => Promise.resolve(answers[call.op]!() as CallAnswer & never),
  };
  const streams: Pick<DockerStreams, 'open'> = {
    open: (_: unknown, receiver: StreamReceiver) => {
      receiver.ended(undefined);
      return Promise.resolve({ cancel: () => {} } as DockerStream);
    },
  };
  return new DockerExecEngine({
    calls: calls as DockerCalls,
    streams: streams as DockerStreams,
    sameHost: false,
  });
}

const signal = new AbortController().signal;

describe('the end of a connection to a container that ends', () => {
  it('is the end of its main process, also where Docker says so only a little later', async () => {
    const engine = engineOver({ container: [runs('running'), runs('running'), runs('exited', 3)] });
    const attached = await engine.attach('container', undefined, signal);
    expect(await attached.end()).toEqual({ exitCode: 3, containerEnded: true, message: '' });
  });

  it('is that of a command which it took with it, also where that is known first', async () => {
    const engine = engineOver({
      container: [runs('running'), runs('running'), runs('exited')],
      exec: [{ pid: 4_000_000 }, { pid: 4_000_000 }, { pid: 0, exitCode: 137 }],
    });
    const command = await engine.run('container', COMMAND, signal);
    expect(await command.end()).toMatchObject({ exitCode: 137, containerEnded: true });
  });

  it('is not that of a command which ends by itself', async () => {
    const engine = engineOver({
      container: [runs('running')],
      exec: [{ pid: 4_000_000 }, { pid: 0, exitCode: 5 }],
    });
    const command = await engine.run('container', COMMAND, signal);
    expect(await command.end()).toEqual({ exitCode: 5, containerEnded: false, message: '' });
  });
});
