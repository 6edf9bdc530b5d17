// A program that writes 256 MiB: how fast they arrive, and what berthd holds of them meanwhile.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { OutputStream } from '../../../dist/clients/typescript/src/index.js';
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { residentBytes } from '../measure/processes.mjs';
import { PEER_LABEL } from '../leftovers.mjs';
import { figure } from '../report/finding.mjs';

const MIB = 1024 * 1024;
const STREAMED_BYTES = 256 * MIB;
const LINE_BYTES = 64;
const LOOK_EVERY_MS = 20;
/** A number in each line, so that what is missing or twice in the middle shows. */
const BLOCK_LINES = 16_384;
const CODE = `import sys
block = b"".join(b"%0${LINE_BYTES - 1}d\\n" % i for i in range(${BLOCK_LINES}))
for _ in range(${STREAMED_BYTES / LINE_BYTES / BLOCK_LINES}): sys.stdout.buffer.write(block)`;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureStream(bench) {
  const { berthd, client, python, signal } = bench;
  await quietPool(client, signal);
  const growth = new Growth(berthd.pid);
  const dockerArgs = ['--rm', '--network=none', '--log-driver=none', '--entrypoint=python3'];
  const [berth, bare, docker] = await interleaved(
    [
      async (round) => {
        await quietPool(client, signal);
        return growth.during(round >= 0, () => viaBerth(client));
      },
      () => viaProcess([python, '-c', CODE]),
      () =>
        viaProcess([
          'docker',
          'run',
          ...dockerArgs,
          `--label=${PEER_LABEL}=${bench.id}`,
          bench.sandboxImage,
          '-c',
          CODE,
        ]),
    ],
    { rounds: 3, warmUp: 1, limitMs: 60_000, signal },
  );
  const streamed = STREAMED_BYTES / MIB;
  return [
    figure(
      'stream.mib_per_s',
      berth.p50,
      'MiB/s',
      `${streamed} MiB of output to the TypeScript client, median of ${berth.count}; in the same run bare python3 through a pipe ${bare.p50.toFixed(0)}, docker run --log-driver=none without limits ${docker.p50.toFixed(0)}`,
    ),
    figure(
      'stream.daemon_rss_growth_mib',
      growth.bytes / MIB,
      'MiB',
      `largest resident memory of berthd during ${berth.count} times ${streamed} MiB, over that before the first of them`,
    ),
  ];
}

/** How far a process grows beyond what it was before the first measured piece of work. Looks every 20 ms. */
class Growth {
  #before;
  #largest = 0;

  constructor(pid) {
    this.pid = pid;
  }

  get bytes() {
    return this.#largest - this.#before;
  }

  /** @param {boolean} counts whether it is measured, or a warm-up in which a heap takes its size */
  async during(counts, work) {
    if (!counts) return work();
    this.#before ??= residentBytes(this.pid);
    const look = () => (this.#largest = Math.max(this.#largest, residentBytes(this.pid)));
    const timer = setInterval(look, LOOK_EVERY_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      look();
    }
  }
}

async function viaBerth(client) {
  const received = new Received();
  for await (const { event } of client.execute({
    language: 'python',
    source: { $case: 'code', value: CODE },
    limits: { outputBytes: STREAMED_BYTES + 1, wallMs: 120_000 },
  })) {
    if (event?.$case === 'output' && event.value.stream === OutputStream.STDOUT)
      received.add(event.value.data);
  }
  return received.mibPerSecond();
}

async function viaProcess(argv) {
  const received = new Received();
  const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  for await (const chunk of child.stdout) received.add(chunk);
  await closed;
  return received.mibPerSecond();
}

/** Compares what arrives with what was written, and takes the time from the call to the last byte. */
class Received {
  static #block = Buffer.from(
    Array.from({ length: BLOCK_LINES }, (_, i) => `${String(i).padStart(LINE_BYTES - 1, '0')}\n`).join(''),
  );
  #startedMs = performance.now();
  #bytes = 0;

  add(chunk) {
    const block = Received.#block;
    for (let at = 0; at < chunk.length;) {
      const offset = this.#bytes % block.length;
      const length = Math.min(chunk.length - at, block.length - offset);
      if (chunk.compare(block, offset, offset + length, at, at + length) !== 0)
        throw new Error(`the streamed output differs within ${length} bytes from byte ${this.#bytes}`);
      at += length;
      this.#bytes += length;
    }
  }

  mibPerSecond() {
    const ms = performance.now() - this.#startedMs;
    if (this.#bytes !== STREAMED_BYTES)
      throw new Error(`${this.#bytes} bytes arrived instead of ${STREAMED_BYTES}`);
    return STREAMED_BYTES / MIB / (ms / 1000);
  }
}
