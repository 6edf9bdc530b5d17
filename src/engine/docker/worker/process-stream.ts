import type { Socket } from 'node:net';
import type Docker from 'dockerode';
import { LogRecordWriter } from '../log-records.js';
import type { DockerFailure } from './failure.js';
import { carryHijacked, type Incoming } from './hijacked-stream.js';
import type { Outlet } from './outlet.js';
import { StdcopyDemultiplexer, type StdcopyReceiver } from './stdcopy-demultiplexer.js';
import type { StreamOpen } from './stream-messages.js';

const NO_TIMESTAMP = new Uint8Array(0);

/** A process in a container, inside the worker. */
export interface OpenProcess {
  /** What was taken is told as `written`, so that whoever writes can wait for it. */
  write(bytes: Uint8Array): void;
  endInput(): void;
  /** Resolves when the connection is over, with what broke it, if anything did. */
  ended: Promise<DockerFailure | undefined>;
}

/** Starts a command, or attaches to a container's main process: both are a connection of Docker's, hijacked for both ways. */
export async function openProcess(
  docker: Docker,
  open: Extract<StreamOpen, { kind: 'exec' | 'attach' }>,
  outlet: Outlet,
  signal: AbortSignal,
): Promise<OpenProcess> {
  const socket = await connect(docker, open, signal);
  const records = new LogRecordWriter();
  const output = new OutputReceiver(records);
  const demultiplexer = open.tty ? undefined : new StdcopyDemultiplexer(output);
  const incoming: Incoming = {
    take(chunk) {
      if (demultiplexer) demultiplexer.push(chunk);
      else output.data(chunk);
      return records.take();
    },
    get atBoundary() {
      return demultiplexer?.atBoundary ?? true;
    },
  };
  const ended = carryHijacked(socket, incoming, outlet, signal).then((failure) =>
    signal.aborted ? ({ code: 'cancelled', message: 'cancelled' } as const) : failure,
  );
  return {
    write(bytes) {
      // Input that a process leaves unread is dropped with its socket.
      socket.write(bytes, () => outlet.written(bytes.length));
    },
    endInput: () => void socket.end(),
    ended,
  };
}

async function connect(
  docker: Docker,
  open: Extract<StreamOpen, { kind: 'exec' | 'attach' }>,
  abortSignal: AbortSignal,
): Promise<Socket> {
  const both = { hijack: true, stdin: true, abortSignal };
  const stream =
    open.kind === 'exec'
      ? await docker.getExec(open.execId).start({ ...both, Tty: open.tty })
      : await docker
          .getContainer(open.containerId)
          .attach({ ...both, stream: true, stdout: true, stderr: true });
  return stream as unknown as Socket;
}

class OutputReceiver implements StdcopyReceiver {
  #stream: 'stdout' | 'stderr' = 'stdout';

  constructor(private readonly records: LogRecordWriter) {}

  begin(stream: 'stdout' | 'stderr'): void {
    this.#stream = stream;
  }

  data(part: Uint8Array): void {
    this.records.add(this.#stream, NO_TIMESTAMP, part);
  }

  end(): void {}
}
