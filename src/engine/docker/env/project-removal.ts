import type { UndoneThing } from '../../../domain/env/model.js';
import { removeContainer } from '../container-removal.js';
import type { DockerAvailability } from '../availability.js';
import type { DockerCalls } from '../docker-calls.js';
import type { ContainerSummary, NetworkDetails, VolumeDetails } from '../worker/call-messages.js';
import type { LogHolds } from './log-holds.js';
import { isInUse, removeNetwork, removeVolume } from './networks-and-volumes.js';
import { stopOrder } from './stop-order.js';

export interface RemovalTools {
  calls: DockerCalls;
  availability: Pick<DockerAvailability, 'onDeparture'>;
  holds: LogHolds;
}

/** What of a project there is to be removed. */
export interface ProjectThings<Container extends ContainerSummary> {
  containers: readonly Container[];
  networks: readonly NetworkDetails[];
  volumes: readonly VolumeDetails[];
}

/** A container on its way. */
interface Leaving {
  id: string;
  /** It has stopped, and all that it had in networks with it; never when it was not asked to. */
  stopped: Promise<void>;
  gone: Promise<void>;
}

/**
 * Removes everything as soon as nothing is in its way: a container when it has stopped, dependants first, a network when the
 * last container has left it. Docker takes most of its time for what a container and a network have in the kernel's rules,
 * and does the latter while it removes the container's files.
 * @param stop asks one container to end, and resolves to whether it has; without it, containers are killed at once
 * @param removed is told of each thing that is gone
 * @throws the first failure, when all that can be removed is removed
 */
export async function removeProject<Container extends ContainerSummary>(
  { calls, availability, holds }: RemovalTools,
  { containers, networks, volumes }: ProjectThings<Container>,
  stop: ((container: Container) => Promise<boolean>) | undefined,
  removed: (thing: UndoneThing) => void,
): Promise<void> {
  const departures = new Departures(availability);
  try {
    const leaving: Leaving[] = [];
    let before: Promise<unknown> = Promise.resolve();
    for (const group of stopOrder(containers)) {
      const turn = before;
      const stops = group.map((container) => turn.then(() => stop?.(container) ?? false));
      before = Promise.allSettled(stops);
      for (const [index, { id, name }] of group.entries()) {
        const ending = stops[index]!;
        const remove = async (): Promise<void> => {
          await ending;
          await holds.released([id]);
          await removeContainer(calls, id);
          removed({ kind: 'container', name });
        };
        leaving.push({
          id,
          stopped: ending.then((ended) => (ended ? undefined : never()), never),
          gone: remove(),
        });
      }
    }
    const allGone = Promise.all(leaving.map(({ gone }) => gone));
    const removals = networks.map(async ({ id, name }) => {
      await Promise.all(
        leaving.map((one) => Promise.race([departures.of(id, one.id), one.stopped, one.gone])),
      );
      await removeNetwork(calls, id).catch(async (error: unknown) => {
        // Its restart policy had brought a container back at that moment.
        if (!isInUse(error)) throw error;
        await allGone;
        await removeNetwork(calls, id);
      });
      removed({ kind: 'network', name });
    });
    const drops = volumes.map(async ({ name }) => {
      await allGone;
      await removeVolume(calls, name);
      removed({ kind: 'volume', name });
    });
    await allDone([allGone, ...leaving.map(({ gone }) => gone), ...removals, ...drops]);
  } finally {
    departures.close();
  }
}

/** Which containers have left which networks, from now on. */
class Departures {
  readonly close: () => void;
  readonly #left = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  constructor(availability: RemovalTools['availability']) {
    this.close = availability.onDeparture((networkId, containerId) => {
      const departure = `${networkId} ${containerId}`;
      this.#left.add(departure);
      this.#waiting.get(departure)?.();
    });
  }

  /** Resolves when it is told; never, when Docker tells nothing. */
  of(networkId: string, containerId: string): Promise<void> {
    const departure = `${networkId} ${containerId}`;
    if (this.#left.has(departure)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(departure, resolve));
  }
}

function never(): Promise<void> {
  return new Promise(() => {});
}

/** Tries all, then throws the first failure: what can be done is done. */
export async function allDone(steps: Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(steps);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
