import type { Socket } from 'node:net';
import type Docker from 'dockerode';
import type { DockerFailure } from './failure.js';
import { carryHijacked, type Incoming } from './hijacked-stream.js';
import type { Outlet } from './outlet.js';
import { StdcopyDemultiplexer, type StdcopyReceiver } from './stdcopy-demultiplexer.js';

const DIAGNOSTIC_LINE_BYTES = 1024;
/** A runner that writes more about itself than this is broken; the rest is dropped. */
const DIAGNOSTIC_TOTAL_BYTES = 256 * 1024;

/** An open runner channel inside the worker. */
export interface OpenRunner {
  write(bytes: Uint8Array): void;
  /** Resolves when the connection is over, with what broke it, if anything did. */
  ended: Promise<DockerFailure | undefined>;
}

/**
 * Attaches to the streams of a container that is created and not started, so that nothing of its output is missed.
 * Everything that one read brings leaves as one message.
 */
export async function openRunner(
  docker: Docker,
  containerId: string,
  outlet: Outlet,
  signal: AbortSignal,
): Promise<OpenRunner> {
  const socket = (await docker.getContainer(containerId).attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
    abortSignal: signal,
  })) as unknown as Socket;
  const receiver = new RunnerReceiver(outlet);
  const demultiplexer = new StdcopyDemultiplexer(receiver);
  const incoming: Incoming = {
    take(chunk) {
      demultiplexer.push(chunk);
      return receiver.take();
    },
    get atBoundary() {
      return demultiplexer.atBoundary;
    },
  };
  const ended = carryHijacked(socket, incoming, outlet, signal);
  return { write: (bytes) => void socket.write(bytes), ended };
}

class RunnerReceiver implements StdcopyReceiver {
  #stream: 'stdout' | 'stderr' = 'stdout';
  /** Views on the present read. */
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #line = '';
  #diagnosticBytes = 0;

  constructor(private readonly outlet: Outlet) {}

  /** What the runner wrote to stdout in this read, in one buffer that can be handed over. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#partBytes === 0) return undefined;
    const bytes = new Uint8Array(this.#partBytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#partBytes = 0;
    return bytes;
  }

  begin(stream: 'stdout' | 'stderr'): void {
    this.#stream = stream;
  }

  data(part: Uint8Array): void {
    if (this.#stream === 'stderr') {
      this.#diagnose(part);
      return;
    }
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  end(): void {}

  #diagnose(part: Uint8Array): void {
    if (this.#diagnosticBytes >= DIAGNOSTIC_TOTAL_BYTES) return;
    this.#diagnosticBytes += part.length;
    const lines = (this.#line + Buffer.from(part).toString('latin1')).split('\n');
    this.#line = (lines.pop() ?? '').slice(0, DIAGNOSTIC_LINE_BYTES);
    for (const line of lines) this.outlet.diagnostics(line.slice(0, DIAGNOSTIC_LINE_BYTES));
    if (this.#diagnosticBytes >= DIAGNOSTIC_TOTAL_BYTES) {
      this.outlet.diagnostics('(further diagnostics of this runner are dropped)');
    }
  }
}
