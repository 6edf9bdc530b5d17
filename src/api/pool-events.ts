import type { PoolEvent as EventMessage } from '../../clients/typescript/src/gen/berth/v1/pool_service.js';
import { PoolMissReason, PoolOutcome } from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import type { PoolEvent } from '../domain/pool/events.js';
import type { Snapshot } from '../domain/pool/watch.js';
import { MISS_REASONS } from './execute-events.js';
import {
  DESTROY_CAUSES,
  POOL_STATES,
  toAlert,
  toBackoff,
  toPool,
  toReset,
  toSettings,
} from './pool-messages.js';

/** One event of the pools as the contract has it. `host`: where the sandboxes are. */
export function toPoolEvent(event: PoolEvent | Snapshot, host: string): EventMessage {
  const { seq, time, poolId, body } = event;
  return { seq, time: new Date(time), poolId, event: toBody(body, host) };
}

function toBody(body: (PoolEvent | Snapshot)['body'], host: string): EventMessage['event'] {
  switch (body.type) {
    case 'snapshot':
      return { $case: 'snapshot', value: { pool: toPool(body.pool, host, false) } };
    case 'initialised':
      return {
        $case: 'initialised',
        value: { availableSandboxes: body.available, tookMs: body.tookMs },
      };
    case 'state_changed':
      return {
        $case: 'stateChanged',
        value: { from: POOL_STATES[body.from], to: POOL_STATES[body.to], reason: body.reason },
      };
    case 'resized':
      return { $case: 'resized', value: { settings: toSettings(body.settings) } };
    case 'sandbox_created': {
      const { sandboxId, containerId, tookMs } = body;
      return { $case: 'sandboxCreated', value: { sandboxId, containerId, tookMs } };
    }
    case 'sandbox_acquired':
      return {
        $case: 'sandboxAcquired',
        value: {
          sandboxId: body.sandboxId,
          acquireMs: body.acquireMs,
          poolOutcome: body.missReason === undefined ? PoolOutcome.HIT : PoolOutcome.MISS,
          missReason:
            body.missReason === undefined ? PoolMissReason.UNSPECIFIED : MISS_REASONS[body.missReason],
        },
      };
    case 'sandbox_reset':
      return { $case: 'sandboxReset', value: toReset(body) };
    case 'sandbox_returned':
      return { $case: 'sandboxReturned', value: { sandboxId: body.sandboxId } };
    case 'sandbox_destroyed':
      return {
        $case: 'sandboxDestroyed',
        value: {
          sandboxId: body.sandboxId,
          cause: DESTROY_CAUSES[body.cause],
          message: body.message,
          executionCount: body.uses,
        },
      };
    case 'alert_raised':
      return { $case: 'alertRaised', value: toAlert(body.alert) };
    case 'alert_cleared':
      return { $case: 'alertCleared', value: toAlert(body.alert) };
    case 'create_failed':
      return { $case: 'createFailed', value: toBackoff(body.backoff) };
    case 'removed':
      return { $case: 'removed', value: {} };
  }
}
