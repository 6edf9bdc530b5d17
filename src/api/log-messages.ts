import { OutputStream } from '../../clients/typescript/src/gen/berth/v1/common.js';
import type {
  LogContainerChanged,
  LogGap,
  LogLine,
  StreamEnvLogsRequest,
  StreamEnvLogsResponse,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import type { LogEntry } from '../domain/env/logs/entry.js';
import type { ToldEntry } from '../domain/env/logs/env-logs.js';
import type { LogRequest } from '../domain/env/logs/request.js';
import { invalid } from '../domain/errors.js';

/** @throws BerthError INVALID_ARGUMENT for a stream that there is not; the rest is checked by the domain */
export function toLogRequest(request: StreamEnvLogsRequest, tenant: string): LogRequest {
  const { envId, follow, services, tail, after, since, until, contains } = request;
  return {
    tenant,
    envId,
    follow,
    services,
    tail,
    after,
    since: since?.getTime(),
    until: until?.getTime(),
    contains,
    stream: toStream(request.stream),
  };
}

export function toLogResponse({ entry, cursor }: ToldEntry): StreamEnvLogsResponse {
  switch (entry.kind) {
    case 'line':
      return { cursor, entry: { $case: 'line', value: toLine(entry) } };
    case 'gap':
      return { cursor, entry: { $case: 'gap', value: toGap(entry) } };
    case 'container_changed':
      return { cursor, entry: { $case: 'containerChanged', value: toContainerChanged(entry) } };
  }
}

function toStream(stream: OutputStream): LogRequest['stream'] {
  switch (stream) {
    case OutputStream.UNSPECIFIED:
      return undefined;
    case OutputStream.STDOUT:
      return 'stdout';
    case OutputStream.STDERR:
      return 'stderr';
    default:
      throw invalid({ field: 'stream', rule: 'must be an output of a process' });
  }
}

function toLine({ service, chunk }: Extract<LogEntry, { kind: 'line' }>): LogLine {
  const stream = chunk.stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
  return { service, stream, time: new Date(chunk.timestamp), text: withoutEnd(chunk.data) };
}

function toGap({ service, fromTime, toTime, reason }: Extract<LogEntry, { kind: 'gap' }>): LogGap {
  return { service, fromTime: toDate(fromTime), toTime: toDate(toTime), reason };
}

function toContainerChanged(entry: Extract<LogEntry, { kind: 'container_changed' }>): LogContainerChanged {
  const { service, containerId, time, running, exitCode } = entry;
  return { service, containerId, time: toDate(time), running, exitCode };
}

function toDate(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}

/** A terminal ends its lines with a carriage return and a line feed. */
function withoutEnd(line: Uint8Array): Buffer {
  const buffer = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  if (buffer.at(-1) !== 0x0a) return buffer;
  return buffer.subarray(0, buffer.at(-2) === 0x0d ? -2 : -1);
}
