import type { ChannelLoss } from '../../../../domain/sandbox/engine.js';

/** With which Go programs, as gVisor's kernel is one, end when they cannot go on. */
const GO_PANIC = 'exit code 2';

/** What the end of a container means when it was gVisor's kernel that ended. */
export function explainGvisorLoss(loss: ChannelLoss): ChannelLoss {
  if (loss.cause !== 'container_died' || loss.oomKilled || !loss.message.endsWith(GO_PANIC)) return loss;
  return {
    ...loss,
    message: `${loss.message}: gVisor cannot go on when its sandbox has more processes than its limit`,
  };
}
