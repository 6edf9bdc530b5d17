import type { ChannelLoss } from './engine.js';
import type { CancelCause, EndedBody, ExecutionUsage, LostCause, ResetReceipt } from './execution.js';
import type { JobEnd } from './runner-session.js';

/** `unread`: its output was not taken in time. */
export type InnerCancelCause = CancelCause | 'unread';

/** What the daemon itself knows of an execution when it ends. */
export interface EndContext {
  cancelCause: InnerCancelCause | undefined;
  /** Whether its main process was sent SIGTERM before it ended. */
  wasAsked: boolean;
  receipt: ResetReceipt | undefined;
  /** What is left to say of the usage when the sandbox can say nothing. */
  seen: Pick<ExecutionUsage, 'wallMs' | 'stdoutBytes' | 'stderrBytes'>;
}

const NO_USAGE: ExecutionUsage = {
  wallMs: 0,
  userCpuMs: 0,
  systemCpuMs: 0,
  peakMemoryBytes: 0,
  peakMemorySource: 'none',
  stdoutBytes: 0,
  stderrBytes: 0,
  oomKills: 0,
};

const LOST_CAUSES: Record<ChannelLoss['cause'], LostCause> = {
  container_died: 'container_died',
  docker_away: 'engine_lost',
  protocol_error: 'connection_lost',
  worker_died: 'connection_lost',
  closed: 'container_died',
};

/** The terminal event of an execution, from how its job ended and why Berth ended it, if it did. */
export function endedBody(end: JobEnd, context: EndContext): EndedBody {
  const { cancelCause, receipt } = context;
  if (end.kind === 'lost') return lostBody(end.loss, context);
  const { reason } = end.body;
  const common = {
    type: 'ended' as const,
    ...end.body,
    cancelCause: undefined,
    lostCause: undefined,
    receipt,
  };
  if (cancelCause === undefined) return common;
  if (reason === 'cancelled') return cancelled(common, cancelCause);
  // Asked to go by SIGTERM, it went in its own way.
  if (context.wasAsked && (reason === 'exited' || reason === 'signalled')) {
    const how =
      reason === 'exited' ? `it exited with code ${end.body.exitCode}` : `${end.body.signal} ended it`;
    return { ...cancelled(common, cancelCause), message: `after SIGTERM ${how}` };
  }
  return common;
}

/** What is recorded of an execution whose daemon crashed. */
export function endedByCrash(): EndedBody {
  return {
    type: 'ended',
    reason: 'sandbox_lost',
    exitCode: undefined,
    signal: '',
    message: 'berthd crashed while it ran; whether the code had effects is not known',
    usage: NO_USAGE,
    truncated: true,
    cancelCause: undefined,
    lostCause: 'daemon_crashed',
    receipt: undefined,
  };
}

function cancelled(body: EndedBody, cause: InnerCancelCause): EndedBody {
  if (cause !== 'unread') return { ...body, reason: 'cancelled', exitCode: undefined, cancelCause: cause };
  const message = 'the wall limit passed while output waited to be read; the rest is dropped';
  return { ...body, reason: 'wall_timeout', exitCode: undefined, message, truncated: true };
}

function lostBody(loss: ChannelLoss, { cancelCause, receipt, seen }: EndContext): EndedBody {
  const body: EndedBody = {
    type: 'ended',
    // The runner dies of the memory limit only when the whole container does.
    reason: loss.oomKilled ? 'out_of_memory' : 'sandbox_lost',
    exitCode: undefined,
    signal: loss.oomKilled ? 'SIGKILL' : '',
    message: loss.message,
    usage: { ...NO_USAGE, ...seen, oomKills: loss.oomKilled ? 1 : 0 },
    truncated: true,
    cancelCause: undefined,
    lostCause: loss.oomKilled ? undefined : LOST_CAUSES[loss.cause],
    receipt,
  };
  // Berth itself took the sandbox away, since its runner did not answer the cancel.
  if (loss.cause === 'closed' && cancelCause !== undefined)
    return { ...cancelled(body, cancelCause), lostCause: undefined };
  return body;
}
