import { newId } from '../ids.js';
import type { Env, Operation } from './model.js';

/** Where the record of a call that joined an operation names it. */
const JOINED = 'joined';

interface Recorded {
  requestId: string;
  requestDigest: string;
  /** When it was answered. */
  at: number;
  /** The operation that answered it; absent: the record itself stands for it. */
  joined?: string;
}

/** An operation that is over, recorded for the request id of a call that began none. */
export function requestRecord(
  kind: 'extend' | 'join',
  env: Env,
  { requestId, requestDigest, at, joined }: Recorded,
): Operation {
  return {
    id: newId('op'),
    envId: env.id,
    tenant: env.tenant,
    kind,
    state: 'succeeded',
    requestId,
    requestDigest,
    startedAt: at,
    endedAt: at,
    error: null,
    input: joined === undefined ? {} : { [JOINED]: joined },
  };
}

/** The operation that answers repeats of the request under which this one is found: itself, or the one that was joined. */
export function answering({ id, kind, input }: Operation): string {
  const joined = input[JOINED];
  return kind === 'join' && typeof joined === 'string' ? joined : id;
}
