import type { DockerCalls } from '../docker-calls.js';
import { unlessGone } from '../docker-error.js';
import type { ContainerDetails } from '../worker/call-messages.js';
import { projectFilter } from './compose-labels.js';

/** The containers of a project, inspected; without one that goes meanwhile. */
export async function projectDetails(
  { calls, owner }: { calls: DockerCalls; owner: string },
  projectName: string,
  signal: AbortSignal | undefined,
): Promise<ContainerDetails[]> {
  const labels = projectFilter(owner, projectName);
  const summaries = await calls.run({ op: 'listContainers', labels }, { signal });
  const details = await Promise.all(
    summaries.map(({ id }) => calls.run({ op: 'inspectContainer', id }, { signal }).catch(unlessGone)),
  );
  return details.filter((container) => container !== null);
}
