import { describe, expect, it } from 'vitest';
import { UidAllocator } from '../../../src/domain/pool/uid-allocator.js';
import type { ChannelLoss, RunnerChannel, SandboxEngine } from '../../../src/domain/sandbox/engine.js';
import { encodePing, encodeReset } from '../../../src/domain/sandbox/runner-protocol.js';
import { sandboxFactory, type AnySandbox } from '../../../src/domain/sandbox/sandbox.js';
import { SPEC } from '../../support/fake-sandboxes.js';

const MIB = 1024 * 1024;
const BASELINE = 10 * MIB;
const PING = encodePing()[4];
const RESET = encodeReset({ uid: 1, nextUid: 2 })[4];

/** A runner that uses so much memory, and otherwise is always as good as new. */
class FakeRunner implements RunnerChannel {
  memoryBytes = BASELINE;
  onClosed: (loss: ChannelLoss) => void = () => undefined;
  #onBytes: (chunk: Uint8Array) => void = () => undefined;

  set onBytes(take: (chunk: Uint8Array) => void) {
    this.#onBytes = take;
    this.#say(0x81, { protocol: 1, languages: {} });
  }

  send(frame: Uint8Array): void {
    if (frame[4] === PING) this.#say(0x88, { memoryBytes: this.memoryBytes });
    else if (frame[4] === RESET) this.#say(0x87, { ok: true, memoryBytes: this.memoryBytes });
    else throw new Error(`no test sends frames of type ${frame[4]}`);
  }

  close(): void {}

  #say(type: number, report: object): void {
    const body = Buffer.from(JSON.stringify(report));
    const head = Buffer.alloc(9);
    head.writeUInt32BE(body.length + 5, 0);
    head.writeUInt8(type, 4);
    setImmediate(() => this.#onBytes(Buffer.concat([head, body])));
  }
}

async function sandboxOf(memoryBytes: number): Promise<{ sandbox: AnySandbox; runner: FakeRunner }> {
  const runner = new FakeRunner();
  const engine = {
    name: 'fake',
    create: (sandboxId: string) =>
      Promise.resolve({
        sandboxId,
        containerId: 'container',
        channel: runner,
        peakMemory: undefined,
        limitsEnforced: true,
        destroy: () => Promise.resolve(),
      }),
  } as unknown as SandboxEngine;
  const spec = { ...SPEC, languages: [], limits: { ...SPEC.limits, memoryBytes } };
  const factory = sandboxFactory(engine, new UidAllocator(100_000, 10));
  return { sandbox: await factory.create('sbx-1', spec, new AbortController().signal), runner };
}

describe('the memory of a sandbox after its reset', () => {
  it.each([
    ['32 MiB where a quarter of the limit is less', 64 * MIB, 32 * MIB],
    ['a quarter of the limit', 256 * MIB, 64 * MIB],
  ])('may be above that of the start by %s, and no byte more', async (_what, limit, slack) => {
    const { sandbox, runner } = await sandboxOf(limit);
    runner.memoryBytes = BASELINE + slack;
    expect(await sandbox.reset(1_000)).toMatchObject({ ok: true, memoryBytes: BASELINE + slack });
    runner.memoryBytes++;
    // A pool destroys a sandbox whose reset fails.
    await expect(sandbox.reset(1_000)).rejects.toMatchObject({ reason: 'SANDBOX_LOST' });
    expect(sandbox.receipt).toMatchObject({
      ok: false,
      error: `after its reset the sandbox uses ${BASELINE + slack + 1} bytes of memory, more than ${BASELINE + slack}`,
    });
  });
});
