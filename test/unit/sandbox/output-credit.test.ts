import { describe, expect, it } from 'vitest';
import type { ChannelLoss, RunnerChannel } from '../../../src/domain/sandbox/engine.js';
import { RunnerSession, type Job, type RunningJob } from '../../../src/domain/sandbox/runner-session.js';
import { REQUEST } from './request.js';

const STDOUT = 0x84;
const CREDIT = 10;
const JOB: Job = { ...REQUEST, uid: 1, outputCredit: CREDIT };

/** A runner that says what it is told to say. */
class Runner implements RunnerChannel {
  onBytes: (chunk: Uint8Array) => void = () => undefined;
  onClosed: (loss: ChannelLoss) => void = () => undefined;
  isClosed = false;

  send(): void {}

  close(): void {
    this.isClosed = true;
  }

  writes(bytes: number): void {
    const head = Buffer.alloc(9);
    head.writeUInt32BE(bytes + 5, 0);
    head.writeUInt8(STDOUT, 4);
    head.writeUInt32BE(1, 5);
    this.onBytes(Buffer.concat([head, Buffer.alloc(bytes)]));
  }
}

function running(): { runner: Runner; job: RunningJob; received: () => number } {
  const runner = new Runner();
  let received = 0;
  const sink = {
    onStarted: () => undefined,
    onOutput: (_: string, data: Uint8Array) => (received += data.length),
  };
  const job = new RunnerSession(runner).start(JOB, sink, undefined);
  return { runner, job, received: () => received };
}

describe('the output that a runner may send', () => {
  it('is what it was granted', () => {
    const { runner, job, received } = running();
    runner.writes(CREDIT);
    job.grant(5);
    runner.writes(5);
    expect(received()).toBe(CREDIT + 5);
    expect(runner.isClosed).toBe(false);
  });

  it('is never more: the sandbox is given up, and nothing of it is kept', async () => {
    const { runner, job, received } = running();
    runner.writes(CREDIT);
    runner.writes(1);
    expect(received()).toBe(CREDIT);
    expect(runner.isClosed).toBe(true);
    expect(await job.done).toMatchObject({ kind: 'lost', loss: { cause: 'protocol_error' } });
  });
});
