import { BerthError } from '../errors.js';
import { ENDED_STATES, type Env, type OperationKind } from './model.js';

function isEnded(env: Env): boolean {
  return ENDED_STATES.includes(env.state);
}

/** No operation is under way, and it is there. */
export function isAtRest(env: Env): boolean {
  return env.state === 'running' || env.state === 'stopped' || env.state === 'broken';
}

/** ENV_STATE naming the state and what to do. */
export function stateRefuses(kind: OperationKind, env: Env, why = env.stateReason): BerthError {
  const reason = why === '' ? '' : ` (${why})`;
  const advice = isAtRest(env)
    ? 'reset it, deploy its app anew, or destroy it'
    : isEnded(env)
      ? 'deploy its app anew'
      : 'try again';
  return new BerthError('ENV_STATE', `cannot ${kind} ${env.id}: it is ${env.state}${reason}; ${advice}`, {
    metadata: { state: env.state },
    resource: { type: 'env', name: env.id },
  });
}
