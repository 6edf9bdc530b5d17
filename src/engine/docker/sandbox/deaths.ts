import type { ChannelLoss } from '../../../domain/sandbox/engine.js';
import type { DockerAvailability } from '../availability.js';
import { KIND_LABEL, SANDBOX_LABEL } from '../labels.js';
import type { DockerEvent } from '../worker/stream-messages.js';

/**
 * Tells of the deaths of this owner's sandboxes as Docker's events report them, whenever Docker is there. `oom` alone is none:
 * it also comes when the kernel kills a process of a program and the sandbox lives on; it explains a `die` that follows.
 */
export function watchSandboxDeaths(
  availability: DockerAvailability,
  died: (sandboxId: string, loss: ChannelLoss) => void,
): void {
  /** Containers in which a process was killed for want of memory. */
  const short = new Set<string>();
  const onEvent = ({ action, actorId, attributes }: DockerEvent): void => {
    const sandboxId = attributes[SANDBOX_LABEL];
    if (attributes[KIND_LABEL] !== 'sandbox' || sandboxId === undefined) return;
    if (action === 'oom') short.add(actorId);
    if (action !== 'die') return;
    const oomKilled = short.delete(actorId);
    const why = oomKilled ? ', killed by its memory limit' : '';
    died(sandboxId, {
      cause: 'container_died',
      message: `the runner ended with exit code ${attributes['exitCode'] ?? 'unknown'}${why}`,
      oomKilled,
    });
  };
  const subscribe = (): void => {
    availability.subscribe({ event: onEvent, lost: () => short.clear() });
  };
  subscribe();
  availability.onChange(({ state }) => {
    if (state === 'up') subscribe();
  });
}
