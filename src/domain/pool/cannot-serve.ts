import type { BerthError } from '../errors.js';
import type { MissReason } from './outcome.js';

/** A pool gives no sandbox and waiting would not help: something else may serve the request, or it fails with `error`. */
export class CannotServe extends Error {
  override readonly name = 'CannotServe';

  constructor(
    readonly missReason: Extract<MissReason, 'create_failed' | 'draining'>,
    readonly error: BerthError,
  ) {
    super(error.message, { cause: error });
  }
}
