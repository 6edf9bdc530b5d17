import { invalid } from '../../errors.js';
import type { LogChunk } from '../engine.js';

/**
 * Which line of a container's log: the nth of that stream with that very time; 0: what stands before the first of them.
 * Everything up to it has been sent.
 */
export interface LogAnchor {
  stream: LogChunk['stream'];
  /** RFC 3339 with nanoseconds, as Docker writes it; of fixed width, so its text is in order. */
  timestamp: string;
  nth: number;
}

/** How far the log of one service has been told. Never changed, only replaced. Times: milliseconds since the epoch. */
export interface ServicePosition {
  readonly containerId: string;
  /** The last line that was sent or passed over; undefined: none yet. */
  readonly anchor: LogAnchor | undefined;
  /** Without an anchor: how many lines of the history are to be told; undefined: all. */
  readonly tail: number | undefined;
  /** Whether the container was last told of as running. */
  readonly running: boolean;
  /** When the run began that was last told of; 0: none. */
  readonly startedAt: number;
  /** When the run ended whose end was last told of; 0: none. */
  readonly finishedAt: number;
}

/** Where a stream of logs stands: what `after` takes it up from. */
export interface LogCursor {
  /** As the stream was asked for; it still holds for services that have not written since. */
  since: number | undefined;
  services: ReadonlyMap<string, ServicePosition>;
}

/** `count` is the anchor's `nth`, or without one the tail; -1: none. */
type Packed = [
  service: string,
  container: string,
  place: string,
  count: number,
  running: number,
  startedAt: number,
  finishedAt: number,
];

const VERSION = 2;
/** More services than a compose file of Berth has, and more bytes than their places take. */
const MAX_SERVICES = 64;
const MAX_CHARACTERS = 64 * 1024;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;
const CONTAINER_ID = /^[0-9a-zA-Z]{1,64}$/;

export function encodeCursor({ since, services }: LogCursor): string {
  const packed = [...services].map(([service, position]): Packed => {
    const { containerId, anchor, tail, running, startedAt, finishedAt } = position;
    const place = anchor === undefined ? '' : `${anchor.stream === 'stdout' ? 'o' : 'e'}${anchor.timestamp}`;
    const count = anchor?.nth ?? tail ?? -1;
    return [service, containerId, place, count, running ? 1 : 0, startedAt, finishedAt];
  });
  return Buffer.from(JSON.stringify([VERSION, since ?? -1, packed]), 'utf8').toString('base64url');
}

/** @throws BerthError INVALID_ARGUMENT for anything that `encodeCursor` did not make */
export function parseCursor(cursor: string): LogCursor {
  const parsed = cursor.length <= MAX_CHARACTERS ? unpack(cursor) : undefined;
  if (parsed === undefined)
    throw invalid({ field: 'after', rule: 'must be the cursor of an entry that StreamEnvLogs sent' });
  return parsed;
}

function unpack(cursor: string): LogCursor | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [version, since, packed] = value as unknown[];
  if (version !== VERSION || !isWhole(since, -1) || !Array.isArray(packed)) return undefined;
  if (packed.length > MAX_SERVICES) return undefined;
  const services = new Map<string, ServicePosition>();
  for (const one of packed as unknown[]) {
    const entry = unpackOne(one);
    if (entry === undefined) return undefined;
    services.set(...entry);
  }
  return { since: since < 0 ? undefined : since, services };
}

function unpackOne(value: unknown): [string, ServicePosition] | undefined {
  if (!Array.isArray(value) || value.length !== 7) return undefined;
  const [service, containerId, place, count, running, startedAt, finishedAt] = value as unknown[];
  if (typeof service !== 'string' || typeof containerId !== 'string' || typeof place !== 'string')
    return undefined;
  if (!CONTAINER_ID.test(containerId)) return undefined;
  if (!isWhole(count, -1) || !isWhole(running) || !isWhole(startedAt) || !isWhole(finishedAt))
    return undefined;
  const timestamp = place.slice(1);
  const known = place === '' || (/^[oe]/.test(place) && TIMESTAMP.test(timestamp));
  if (!known) return undefined;
  const stream = place.startsWith('o') ? 'stdout' : 'stderr';
  const anchor: LogAnchor | undefined = place === '' ? undefined : { stream, timestamp, nth: count };
  const tail = anchor === undefined && count >= 0 ? count : undefined;
  return [service, { containerId, anchor, tail, running: running === 1, startedAt, finishedAt }];
}

function isWhole(value: unknown, least = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}
