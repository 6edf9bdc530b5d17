import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { type DockerFailure, ProtocolViolation } from './failure.js';
import type { Outlet } from './outlet.js';
import { pipeResponse } from './response-stream.js';
import type { DockerEvent } from './stream-messages.js';

/** An event carries its container's labels; more than this is none of Docker's. */
const LINE_CHARACTERS = 1024 * 1024;

/** Docker's event stream: one JSON object a line; resolves when it is over. */
export async function runEventStream(
  docker: Docker,
  filters: Record<string, string[]>,
  outlet: Outlet,
  signal: AbortSignal,
): Promise<DockerFailure | undefined> {
  const response = (await docker.getEvents({ filters, abortSignal: signal })) as IncomingMessage;
  const decoder = new TextDecoder();
  let open = '';
  return pipeResponse(response, outlet, signal, {
    push(chunk) {
      const lines = (open + decoder.decode(chunk, { stream: true })).split('\n');
      open = lines.pop() ?? '';
      if (open.length > LINE_CHARACTERS) throw new ProtocolViolation('Docker sent an event without end');
      for (const line of lines) {
        if (line.trim() !== '') outlet.event(parseEvent(line), line.length);
      }
    },
    finish() {},
  });
}

interface RawEvent {
  Action?: unknown;
  Actor?: { ID?: unknown; Attributes?: Record<string, string> };
  timeNano?: unknown;
}

function parseEvent(line: string): DockerEvent {
  let raw: RawEvent;
  try {
    raw = JSON.parse(line) as RawEvent;
  } catch (error) {
    throw new ProtocolViolation('Docker sent an event that is not JSON', { cause: error });
  }
  return {
    action: String(raw.Action),
    actorId: String(raw.Actor?.ID),
    attributes: raw.Actor?.Attributes ?? {},
    time: Math.floor(Number(raw.timeNano) / 1e6),
  };
}
