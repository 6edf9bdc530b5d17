// How an execution should have ended, and what is told of how it did.
import { CancelCause, EndReason, LostCause, status } from '../../dist/clients/typescript/src/index.js';
import { Wrong } from './follow.mjs';

const words = (name) => name.toLowerCase().replaceAll('_', ' ');

/** "exited 0", "signalled SIGSEGV", "cancelled: disconnected", "call: deadline exceeded". */
export function outcomeOf({ ended, error }) {
  if (ended === undefined)
    return error === undefined
      ? 'left'
      : `call: ${words(status[error.code])}${error.reason ? ` (${error.reason})` : ''}`;
  switch (ended.reason) {
    case EndReason.EXITED:
      return `exited ${ended.exitCode}`;
    case EndReason.SIGNALLED:
      return `signalled ${ended.signal}`;
    case EndReason.CANCELLED:
      return `cancelled: ${words(CancelCause[ended.cancelCause])}`;
    case EndReason.SANDBOX_LOST:
      return `sandbox lost: ${words(LostCause[ended.lostCause])}`;
    default:
      return words(EndReason[ended.reason]);
  }
}

/**
 * Whether the vandal explains how it ended. Only for an execution in a sandbox that was hit, and only typed as the contract
 * says: lost since its container died, or out of memory (a hit container that had been at its limit says so), or cancelled
 * since its sandbox was recycled or its pool drained.
 *
 * @param {import('./vandal.mjs').Vandal} vandal
 */
export function isLoss(seen, vandal) {
  const { ended } = seen;
  if (ended === undefined) return false;
  const how = vandal.hitOn(seen.started);
  const isDeleted = ended.reason === EndReason.CANCELLED && ended.cancelCause === CancelCause.SANDBOX_DELETED;
  if (how === 'recycled' || vandal.drained(seen.started)) if (isDeleted) return true;
  if (how === undefined || how === 'recycled') return false;
  return (
    (ended.reason === EndReason.SANDBOX_LOST && ended.lostCause === LostCause.CONTAINER_DIED) ||
    ended.reason === EndReason.OUT_OF_MEMORY
  );
}

/**
 * @param {object} wanted each of these that is given must hold
 * @param {string | string[] | RegExp} [wanted.ends] as `outcomeOf` tells it
 * @param {string | RegExp} [wanted.stdout]
 * @param {string | RegExp} [wanted.stderr]
 * @param {{bytes: number, sha256?: string}} [wanted.output] of standard output, where it is long
 * @throws Wrong that says what was seen instead
 */
export function must(seen, { ends, stdout, stderr, output }) {
  const outcome = outcomeOf(seen);
  const told = () =>
    `; ${seen.started?.executionId ?? 'not started'} in ${seen.sandboxId}: ${outcome}, ` +
    `${seen.ended?.message || seen.error?.message || 'no message'}; stdout ${shown(seen.stdout.text)}, stderr ${shown(seen.stderr.text)}`;
  if (ends !== undefined && !matches(outcome, ends))
    throw new Wrong(`ended as '${outcome}' instead of ${ends}${told()}`);
  if (stdout !== undefined && !matches(seen.stdout.text, stdout))
    throw new Wrong(`stdout is not ${shown(String(stdout))}${told()}`);
  if (stderr !== undefined && !matches(seen.stderr.text, stderr))
    throw new Wrong(`stderr is not ${shown(String(stderr))}${told()}`);
  if (output !== undefined) {
    if (seen.stdout.bytes !== output.bytes)
      throw new Wrong(`${seen.stdout.bytes} bytes came instead of ${output.bytes}${told()}`);
    if (output.sha256 !== undefined && seen.stdout.sha256() !== output.sha256)
      throw new Wrong(`the ${output.bytes} bytes that came are not those that were written${told()}`);
  }
  return outcome;
}

const matches = (text, wanted) =>
  wanted instanceof RegExp ? wanted.test(text) : [wanted].flat().includes(text);

function shown(text) {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 150)} … ${text.slice(-150)}` : text);
}
