import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ChannelLoss } from '../../../src/domain/sandbox/engine.js';
import type {
  DockerStream,
  DockerStreams,
  StreamReceiver,
} from '../../../src/engine/docker/docker-streams.js';
import { DockerRunnerChannel } from '../../../src/engine/docker/sandbox/runner-channel.js';

const LOSS: ChannelLoss = { cause: 'container_died', message: 'killed by its memory limit', oomKilled: true };

let receiver: StreamReceiver;
let channel: DockerRunnerChannel;
const cancel = vi.fn();
const diagnose = vi.fn(async () => LOSS);
const losses: ChannelLoss[] = [];

beforeEach(async () => {
  vi.useFakeTimers();
  const streams = {
    open: async (_: unknown, given: StreamReceiver) => {
      receiver = given;
      return { cancel } as Partial<DockerStream>;
    },
  } as unknown as DockerStreams;
  const options = { containerId: 'abc', diagnose, onDiagnostics: () => undefined };
  channel = await DockerRunnerChannel.open(streams, options, undefined);
  channel.onClosed = (loss) => losses.push(loss);
});

afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
  losses.length = 0;
});

it('leaves a dead container to its stream, whose end is looked into once', async () => {
  channel.containerDied();
  receiver.ended(undefined);
  await vi.runAllTimersAsync();
  expect(losses).toEqual([LOSS]);
  expect(diagnose).toHaveBeenCalledTimes(1);
});

it('finds out why a container has died whose stream lingers, and ends the stream', async () => {
  channel.containerDied();
  expect(diagnose).not.toHaveBeenCalled();
  await vi.runAllTimersAsync();
  expect(losses).toEqual([LOSS]);
  expect(cancel).toHaveBeenCalledTimes(1);
  receiver.ended({ code: 'cancelled', message: 'cancelled' });
  await vi.runAllTimersAsync();
  expect(losses).toEqual([LOSS]);
  expect(diagnose).toHaveBeenCalledTimes(1);
});

it('waits for what is found out, however long that takes', async () => {
  let found: ((loss: ChannelLoss) => void) | undefined;
  diagnose.mockImplementationOnce(() => new Promise((resolve) => (found = resolve)));
  receiver.ended(undefined);
  channel.containerDied();
  await vi.runAllTimersAsync();
  expect(losses).toEqual([]);
  found?.(LOSS);
  await vi.runAllTimersAsync();
  expect(losses).toEqual([LOSS]);
});
