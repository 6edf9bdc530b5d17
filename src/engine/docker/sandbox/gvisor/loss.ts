import type { ChannelLoss } from '../../../../domain/sandbox/engine.js';
import type { DockerCalls } from '../../docker-calls.js';

/** With which Go programs, as gVisor's kernel is one, end when they cannot go on. */
const GO_PANIC = 'exit code 2';
/**
 * Left by berth-runsc in the root of a dead container in whose cgroup the kernel has killed for want of memory. Docker's own
 * flag cannot be relied on for gVisor, all of which dies at once: Docker often hears of that before it hears why.
 */
const OUT_OF_MEMORY_MARK = '/.berth-out-of-memory';

/** What the end of a container means when it was gVisor's kernel that ended. Never rejects. */
export async function explainGvisorLoss(
  calls: Pick<DockerCalls, 'run'>,
  containerId: string,
  loss: ChannelLoss,
): Promise<ChannelLoss> {
  if (loss.cause !== 'container_died' || loss.oomKilled) return loss;
  if (await hasOutOfMemoryMark(calls, containerId))
    return { ...loss, message: `${loss.message}, killed by its memory limit`, oomKilled: true };
  if (!loss.message.endsWith(GO_PANIC)) return loss;
  return {
    ...loss,
    message: `${loss.message}: gVisor cannot go on when its sandbox has more processes than its limit`,
  };
}

async function hasOutOfMemoryMark(calls: Pick<DockerCalls, 'run'>, containerId: string): Promise<boolean> {
  try {
    return (await calls.run({ op: 'containerHasFile', id: containerId, path: OUT_OF_MEMORY_MARK })).has;
  } catch {
    // Docker has just gone away: what is known is told.
    return false;
  }
}
