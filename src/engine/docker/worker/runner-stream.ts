import type { Socket } from 'node:net';
import type Docker from 'dockerode';
import { ProtocolViolation, type DockerFailure, failureFrom } from './failure.js';
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
  socket.setNoDelay(true);
  const cancel = (): void => void socket.destroy();
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });

  const receiver = new RunnerReceiver(outlet);
  const demultiplexer = new StdcopyDemultiplexer(receiver);
  const ended = new Promise<DockerFailure | undefined>((resolve) => {
    let failure: DockerFailure | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        demultiplexer.push(chunk);
        const batch = receiver.take();
        if (batch) outlet.bytes(batch);
      } catch (error) {
        failure = failureFrom(error);
        socket.destroy();
      }
    });
    socket.on('error', (error) => {
      failure ??= failureFrom(error);
    });
    // Docker half-closes when the container's output ends; the runner's input is of no use then.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      signal.removeEventListener('abort', cancel);
      if (!failure && !demultiplexer.atBoundary && !signal.aborted) {
        failure = failureFrom(new ProtocolViolation("Docker's stream ended inside a frame"));
      }
      resolve(failure);
    });
  });
  outlet.connect(socket);
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
