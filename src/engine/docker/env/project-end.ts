import type { UndoneThing } from '../../../domain/env/model.js';
import type { Logger } from '../../../telemetry/logger.js';
import {
  berthErrorFrom,
  type FailureContext,
  throwIfCancelled,
  translated,
  unlessGone,
} from '../docker-error.js';
import type { ContainerDetails, ContainerSummary } from '../worker/call-messages.js';
import { projectFilter } from './compose-labels.js';
import type { ProjectMeasures } from './measures.js';
import { projectDetails } from './project-details.js';
import { allDone, type RemovalTools, removeProject } from './project-removal.js';
import { stopOrder } from './stop-order.js';

/** Docker's own default, for containers that name no grace. */
const DEFAULT_GRACE_S = 10;
/** What Docker may take beyond the grace. */
const STOP_MARGIN_MS = 30_000;

export interface ProjectEndOptions extends RemovalTools {
  owner: string;
  measures: Pick<ProjectMeasures, 'forget'>;
  logger: Logger;
}

/** What of a project goes beside its containers. Default: `networks`. */
interface RemovedToo {
  volumes: boolean;
  networks?: boolean;
}

/** How the containers of a project stop, and how it goes; each method as in EnvEngine. */
export class ProjectEnd {
  constructor(private readonly options: ProjectEndOptions) {}

  async stop(
    projectName: string,
    signal?: AbortSignal,
    { allOrNothing = false }: { allOrNothing?: boolean } = {},
  ): Promise<void> {
    return translated(stopping(projectName, signal), async () => {
      const containers = await projectDetails(this.options, projectName, signal);
      // Where the answer was lost, one may have stopped all the same.
      const asked: ContainerDetails[] = [];
      try {
        for (const group of stopOrder(containers)) {
          asked.push(...group);
          await allDone(group.map((container) => this.#stopOne(container, signal)));
        }
      } catch (error) {
        const ran = asked.filter(({ state }) => state === 'running');
        if (allOrNothing) await this.#startAgain(projectName, ran.toReversed());
        throw error;
      }
    });
  }

  /** Half a project is of no use. What does not start is told, and does not hide why it was tried. */
  async #startAgain(project: string, containers: readonly ContainerDetails[]): Promise<void> {
    const { calls, logger } = this.options;
    for (const { id, name } of containers) {
      await calls.run({ op: 'startContainer', id }, { timeoutMs: STOP_MARGIN_MS }).catch((error: unknown) => {
        logger.warn({ project, err: error }, `${name} was stopped and could not be started again`);
      });
    }
  }

  async down(
    projectName: string,
    too: RemovedToo,
    signal?: AbortSignal,
  ): Promise<{ removed: UndoneThing[]; notStopped: string[] }> {
    const notStopped: string[] = [];
    const stop = async (container: ContainerDetails): Promise<boolean> => {
      try {
        await this.#stopOne(container, signal);
        return true;
      } catch (error) {
        const known = berthErrorFrom(error, stopping(projectName, signal));
        if (known.reason !== 'CONTAINER_STOP_FAILED') throw error;
        notStopped.push(known.message);
        return false;
      }
    };
    const containers = () => projectDetails(this.options, projectName, signal);
    const removed = await this.#remove(projectName, too, containers, stop, signal);
    return { removed, notStopped };
  }

  async remove(projectName: string, too: RemovedToo, signal?: AbortSignal): Promise<UndoneThing[]> {
    const { calls, owner } = this.options;
    const labels = projectFilter(owner, projectName);
    const containers = () => calls.run({ op: 'listContainers', labels }, { signal });
    return this.#remove(projectName, too, containers, undefined, signal);
  }

  async #remove<Container extends ContainerSummary>(
    projectName: string,
    too: RemovedToo,
    present: () => Promise<Container[]>,
    stop: ((container: Container) => Promise<boolean>) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<UndoneThing[]> {
    const { calls, owner, measures, logger } = this.options;
    const context: FailureContext = {
      doing: `removing ${projectName}`,
      refused: 'CONTAINER_STOP_FAILED',
      signal,
    };
    return translated(context, async () => {
      const labels = projectFilter(owner, projectName);
      const [containers, networks, volumes] = await Promise.all([
        present(),
        too.networks === false ? [] : calls.run({ op: 'listNetworks', labels }, { signal }),
        too.volumes ? calls.run({ op: 'listVolumes', labels }, { signal }) : [],
      ]);
      throwIfCancelled(signal);
      const removed: UndoneThing[] = [];
      try {
        await removeProject(this.options, { containers, networks, volumes }, stop, (thing) =>
          removed.push(thing),
        );
      } catch (error) {
        // Whoever tries again finds and tells only the rest.
        if (removed.length > 0)
          logger.info({ project: projectName, removed }, 'some of a project was removed');
        throw error;
      }
      for (const { id } of containers) measures.forget(id);
      // As people read it: containers, networks, volumes.
      return removed.toSorted((a, b) => a.kind.localeCompare(b.kind));
    });
  }

  async #stopOne(container: ContainerDetails, signal: AbortSignal | undefined): Promise<void> {
    const graceMs = (container.stopTimeoutS ?? DEFAULT_GRACE_S) * 1_000;
    const options = { signal, timeoutMs: graceMs + STOP_MARGIN_MS };
    await this.options.calls.run({ op: 'stopContainer', id: container.id }, options).catch(unlessGone);
  }
}

function stopping(projectName: string, signal: AbortSignal | undefined): FailureContext {
  return { doing: `stopping ${projectName}`, refused: 'CONTAINER_STOP_FAILED', signal };
}
