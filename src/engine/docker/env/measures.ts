import type { ConnectionCount, ContainerUse } from '../../../domain/env/engine.js';
import { treeSize } from '../../../lib/tree-size.js';
import type { DockerCalls } from '../docker-calls.js';
import { type FailureContext, translated, unlessGone } from '../docker-error.js';
import { projectFilter } from './compose-labels.js';
import { readConnections } from './connections.js';

/** Docker measures for a second. */
const STATS_TIMEOUT_MS = 5_000;

/** What the containers of a project use; each method as in EnvEngine. */
export class ProjectMeasures {
  /** First processes of containers, by container id, to spare an inspection each time; each is checked when used. */
  readonly #pids = new Map<string, number>();

  constructor(private readonly options: { calls: DockerCalls; owner: string; sameHost: boolean }) {}

  /** The container is gone. */
  forget(containerId: string): void {
    this.#pids.delete(containerId);
  }

  async diskBytes(projectName: string, signal?: AbortSignal): Promise<number> {
    const { calls, owner, sameHost } = this.options;
    const context: FailureContext = { doing: `measuring ${projectName}`, refused: 'DOCKER_ERROR', signal };
    return translated(context, async () => {
      const labels = projectFilter(owner, projectName);
      let bytes = 0;
      for (const { id } of await calls.run({ op: 'listContainers', labels }, { signal })) {
        const size = await calls.run({ op: 'containerSize', id }, { signal }).catch(unlessGone);
        bytes += size?.writtenBytes ?? 0;
      }
      const volumes = sameHost ? await calls.run({ op: 'listVolumes', labels }, { signal }) : [];
      for (const { mountpoint } of volumes) bytes += await treeSize(mountpoint);
      return bytes;
    });
  }

  async use(containerId: string, signal?: AbortSignal): Promise<ContainerUse> {
    const context: FailureContext = { doing: `measuring ${containerId}`, refused: 'DOCKER_ERROR', signal };
    return translated(context, () =>
      this.options.calls.run(
        { op: 'containerStats', id: containerId },
        { signal, timeoutMs: STATS_TIMEOUT_MS },
      ),
    );
  }

  async connections(containerId: string, signal?: AbortSignal): Promise<ConnectionCount | undefined> {
    if (!this.options.sameHost) return undefined;
    const known = this.#pids.get(containerId);
    const count = known === undefined ? undefined : await readConnections(containerId, known);
    if (count) return count;
    const context: FailureContext = { doing: `looking at ${containerId}`, refused: 'DOCKER_ERROR', signal };
    return translated(context, async () => {
      const { calls } = this.options;
      const container = await calls
        .run({ op: 'inspectContainer', id: containerId }, { signal })
        .catch(unlessGone);
      const pid = container?.pid ?? 0;
      if (pid === 0) {
        this.#pids.delete(containerId);
        return undefined;
      }
      this.#pids.set(containerId, pid);
      return await readConnections(containerId, pid);
    });
  }
}
