import type { ComposeNetwork, ComposeProject, ComposeVolume } from '../../../domain/env/compose/model.js';
import type { UndoneThing } from '../../../domain/env/model.js';
import { BerthError } from '../../../domain/errors.js';
import type { DockerCalls } from '../docker-calls.js';
import { DockerError, isFailure, unlessGone } from '../docker-error.js';
import { OWNER_LABEL } from '../labels.js';
import type { NetworkDetails } from '../worker/call-messages.js';
import { networkLabels, PROJECT_LABEL, volumeLabels } from './compose-labels.js';

// Creations are not cancelled in flight: Docker would finish them all the same, unseen by the undo that follows.

/** Makes the network unless it is there as wanted. @throws DockerError, BerthError for another one's of that name */
export async function ensureNetwork(
  calls: DockerCalls,
  owner: string,
  project: Pick<ComposeProject, 'name'>,
  network: ComposeNetwork,
  signal: AbortSignal | undefined,
): Promise<UndoneThing> {
  // The name filter matches parts of names.
  const found = await calls.run({ op: 'listNetworks', labels: [], name: network.name }, { signal });
  for (const present of found.filter(({ name }) => name === network.name)) {
    requireOwn('network', present, owner, project);
    if (isAsWanted(present, network)) return { kind: 'network', name: network.name };
    await removeNetwork(calls, present.id);
  }
  await calls.run({
    op: 'createNetwork',
    body: {
      Name: network.name,
      Driver: 'bridge',
      // Docker's names of networks are not unique without it.
      CheckDuplicate: true,
      Internal: network.internal,
      ...(network.subnet === undefined
        ? {}
        : { IPAM: { Driver: 'default', Config: [{ Subnet: network.subnet }] } }),
      Labels: networkLabels(project, network, owner),
    },
  });
  return { kind: 'network', name: network.name };
}

/** Makes the volume unless it is there. @throws DockerError, BerthError for another one's of that name */
export async function ensureVolume(
  calls: DockerCalls,
  owner: string,
  project: ComposeProject,
  volume: ComposeVolume,
  signal: AbortSignal | undefined,
): Promise<UndoneThing> {
  try {
    requireOwn(
      'volume',
      await calls.run({ op: 'inspectVolume', name: volume.name }, { signal }),
      owner,
      project,
    );
  } catch (error) {
    if (!isFailure(error, 'not_found')) throw error;
    const body = { Name: volume.name, Driver: 'local', Labels: volumeLabels(project, volume, owner) };
    await calls.run({ op: 'createVolume', body });
  }
  return { kind: 'volume', name: volume.name };
}

/** Removes a network; what is still connected to it, such as a shared database's container, is parted from it. */
export async function removeNetwork(calls: DockerCalls, id: string): Promise<void> {
  const remove = (): Promise<null> => calls.run({ op: 'removeNetwork', id });
  try {
    await remove().catch(async (error: unknown) => {
      if (!isInUse(error)) throw error;
      const { containerIds } = await calls.run({ op: 'inspectNetwork', id });
      await Promise.all(
        containerIds.map((containerId) =>
          calls.run({ op: 'disconnectNetwork', id, containerId }).catch(unlessGone),
        ),
      );
      await remove();
    });
  } catch (error) {
    unlessGone(error);
  }
}

/** Docker removes no network that a container is in. */
export function isInUse(error: unknown): boolean {
  return error instanceof DockerError && /has active endpoints/i.test(error.message);
}

export async function removeVolume(calls: DockerCalls, name: string): Promise<void> {
  await calls.run({ op: 'removeVolume', name }).catch(unlessGone);
}

function isAsWanted(present: NetworkDetails, network: ComposeNetwork): boolean {
  const subnetFits = network.subnet === undefined || present.subnets.includes(network.subnet);
  return subnetFits && present.internal === network.internal;
}

function requireOwn(
  kind: 'network' | 'volume',
  present: { name: string; labels: Record<string, string> },
  owner: string,
  project: Pick<ComposeProject, 'name'>,
): void {
  if (present.labels[OWNER_LABEL] === owner && present.labels[PROJECT_LABEL] === project.name) return;
  throw new BerthError(
    'CONTAINER_START_FAILED',
    `${kind} ${present.name} exists and is not of env ${project.name}; remove it with 'docker ${kind} rm ${present.name}' if nobody needs it`,
    { resource: { type: kind, name: present.name } },
  );
}
