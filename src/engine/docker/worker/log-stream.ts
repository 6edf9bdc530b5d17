import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { LogRecordWriter } from '../log-records.js';
import { type DockerFailure, ProtocolViolation, failureFrom } from './failure.js';
import { LogAssembler } from './log-assembler.js';
import type { Outlet } from './outlet.js';
import { StdcopyDemultiplexer } from './stdcopy-demultiplexer.js';
import type { StreamOpen } from './stream-messages.js';
import { pipeResponse } from './response-stream.js';
import { Terminals } from './terminals.js';
import { TtyLogSplitter } from './tty-log-splitter.js';

const terminals = new Terminals();

/** Follows (or reads) one container's log; resolves when it is over. */
export async function runLogStream(
  docker: Docker,
  open: Extract<StreamOpen, { kind: 'logs' }>,
  outlet: Outlet,
  signal: AbortSignal,
): Promise<DockerFailure | undefined> {
  const hasTerminal = await terminals.has(docker, open.containerId, signal);
  const response = await openLog(docker, open, signal);
  const records = new LogRecordWriter();
  const decoder = hasTerminal ? ttyDecoder(records) : framedDecoder(records);
  let flushing = false;
  const flush = (): void => {
    flushing = false;
    const batch = records.take();
    if (batch) outlet.bytes(batch);
  };
  return pipeResponse(response, outlet, signal, {
    push(chunk) {
      decoder.push(chunk);
      if (flushing) return;
      // Docker sends each line as a chunk of its own, and a read of the socket brings many: they leave as one message.
      flushing = true;
      process.nextTick(flush);
    },
    finish() {
      decoder.finish();
      flush();
    },
  });
}

interface Decoder {
  push(chunk: Uint8Array): void;
  finish(): void;
}

function framedDecoder(records: LogRecordWriter): Decoder {
  const demultiplexer = new StdcopyDemultiplexer(new LogAssembler(records));
  return {
    push: (chunk) => demultiplexer.push(chunk),
    finish() {
      if (!demultiplexer.atBoundary) throw new ProtocolViolation("Docker's log ended inside a frame");
    },
  };
}

function ttyDecoder(records: LogRecordWriter): Decoder {
  const splitter = new TtyLogSplitter(new LogAssembler(records));
  return { push: (chunk) => splitter.push(chunk), finish: () => splitter.finish() };
}

/** dockerode's own `logs()` reads everything into memory unless it follows; its modem streams both. */
function openLog(
  docker: Docker,
  open: Extract<StreamOpen, { kind: 'logs' }>,
  abortSignal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/containers/${open.containerId}/logs?`,
        method: 'GET',
        isStream: true,
        abortSignal,
        statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
        options: {
          follow: open.follow,
          stdout: true,
          stderr: true,
          timestamps: true,
          tail: open.tail ?? 'all',
          ...(open.sinceMs === undefined ? {} : { since: seconds(open.sinceMs) }),
          ...(open.untilMs === undefined ? {} : { until: seconds(open.untilMs) }),
        },
      },
      (error: unknown, response: unknown) => {
        if (error) reject(error instanceof Error ? error : failureFrom(error));
        else resolve(response as IncomingMessage);
      },
    );
  });
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
