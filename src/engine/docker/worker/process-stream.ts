import type { Socket } from 'node:net';
import type Docker from 'dockerode';
import { LogRecordWriter } from '../log-records.js';
import { ProtocolViolation, type DockerFailure, failureFrom } from './failure.js';
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
  socket.setNoDelay(true);
  const cancel = (): void => void socket.destroy();
  signal.addEventListener('abort', cancel, { once: true });
  const records = new LogRecordWriter();
  const output = new OutputReceiver(records);
  const demultiplexer = open.tty ? undefined : new StdcopyDemultiplexer(output);

  const ended = new Promise<DockerFailure | undefined>((resolve) => {
    let failure: DockerFailure | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        if (demultiplexer) demultiplexer.push(chunk);
        else output.data(chunk);
        const batch = records.take();
        if (batch) outlet.bytes(batch);
      } catch (error) {
        failure = failureFrom(error);
        socket.destroy();
      }
    });
    socket.on('error', (error) => {
      failure ??= failureFrom(error);
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      signal.removeEventListener('abort', cancel);
      if (signal.aborted) failure = { code: 'cancelled', message: 'cancelled' };
      else if (!failure && demultiplexer?.atBoundary === false)
        failure = failureFrom(new ProtocolViolation("Docker's stream ended inside a frame"));
      resolve(failure);
    });
  });
  outlet.connect(socket);
  if (signal.aborted) cancel();
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
