/** Why a sandbox is destroyed. */
export type DestroyCause =
  /** It was idle beyond the minimum, or kept for its tenant long enough. */
  | 'idle'
  /** Its reset failed. */
  | 'reset_failed'
  /** Its health check failed. */
  | 'unhealthy'
  /** It reached its maximum of uses. */
  | 'max_uses'
  /** It reached its maximum age. */
  | 'max_age'
  /** It was used once, as its isolation demands. */
  | 'single_use'
  /** Another tenant waited for its place. */
  | 'other_tenant'
  /** Somebody asked for it to be replaced. */
  | 'recycled'
  /** The pool was made smaller, drained or removed. */
  | 'shrunk'
  /** Its container died or was removed by somebody else. */
  | 'died'
  /** The daemon stops. */
  | 'shutdown'
  /** Its creation did not come to an end in time. */
  | 'create_failed';
