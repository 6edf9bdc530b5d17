import {
  OutputStream,
  PeakMemorySource,
  ResetVerifier,
  type ResetReceipt as ReceiptMessage,
  Isolation as IsolationEnum,
} from '../../clients/typescript/src/gen/berth/v1/common.js';
import {
  CancelCause,
  EndReason,
  LostCause,
  PoolMissReason,
  PoolOutcome,
  ProgressPhase,
  ServedBy,
  StartPath,
  type ExecuteEvent,
} from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import type { MissReason, ServedBy as Served } from '../domain/pool/outcome.js';
import type {
  CancelCause as Cancelled,
  EndedBody,
  ExecutionEvent,
  LostCause as Lost,
  PeakMemorySource as Source,
  ProgressBody,
  ResetReceipt,
  StartedBody,
} from '../domain/sandbox/execution.js';
import type { Isolation } from '../domain/sandbox/spec.js';

export const MISS_REASONS: Record<MissReason, PoolMissReason> = {
  new_pool: PoolMissReason.NEW_POOL,
  warming_up: PoolMissReason.WARMING_UP,
  all_in_use: PoolMissReason.ALL_IN_USE,
  resetting: PoolMissReason.RESETTING,
  at_maximum: PoolMissReason.AT_MAXIMUM,
  other_tenant: PoolMissReason.OTHER_TENANT,
  create_failed: PoolMissReason.CREATE_FAILED,
  engine_unavailable: PoolMissReason.ENGINE_UNAVAILABLE,
  own_container: PoolMissReason.OWN_CONTAINER,
  host_budget: PoolMissReason.HOST_BUDGET,
  draining: PoolMissReason.DRAINING,
  unhealthy: PoolMissReason.UNHEALTHY,
  disabled: PoolMissReason.DISABLED,
};

const SERVED_BY: Record<Served, ServedBy> = {
  pool: ServedBy.POOL,
  one_shot: ServedBy.ONE_SHOT,
  local: ServedBy.LOCAL,
};

export const ISOLATIONS: Record<Isolation, IsolationEnum> = {
  reuse: IsolationEnum.REUSE,
  single_use: IsolationEnum.SINGLE_USE,
  gvisor: IsolationEnum.GVISOR,
};

const START_PATHS: Record<StartedBody['startPath'], StartPath> = {
  spare: StartPath.SPARE,
  fork: StartPath.FORK,
  fresh: StartPath.FRESH,
  command: StartPath.COMMAND,
  none: StartPath.UNSPECIFIED,
};

export const END_REASONS: Record<EndedBody['reason'], EndReason> = {
  exited: EndReason.EXITED,
  signalled: EndReason.SIGNALLED,
  wall_timeout: EndReason.WALL_TIMEOUT,
  cpu_timeout: EndReason.CPU_TIMEOUT,
  out_of_memory: EndReason.OUT_OF_MEMORY,
  output_limit: EndReason.OUTPUT_LIMIT,
  cancelled: EndReason.CANCELLED,
  sandbox_lost: EndReason.SANDBOX_LOST,
  start_failed: EndReason.START_FAILED,
};

const PEAK_SOURCES: Record<Source, PeakMemorySource> = {
  cgroup_peak: PeakMemorySource.CGROUP,
  sampled: PeakMemorySource.SAMPLED,
  rusage: PeakMemorySource.RUSAGE,
  none: PeakMemorySource.UNSPECIFIED,
};

const CANCEL_CAUSES: Record<Cancelled, CancelCause> = {
  requested: CancelCause.REQUESTED,
  disconnected: CancelCause.DISCONNECTED,
  deadline: CancelCause.DEADLINE,
  shutdown: CancelCause.SHUTDOWN,
  sandbox_deleted: CancelCause.SANDBOX_DELETED,
};

const LOST_CAUSES: Record<Lost, LostCause> = {
  container_died: LostCause.CONTAINER_DIED,
  engine_lost: LostCause.ENGINE_LOST,
  connection_lost: LostCause.CONNECTION_LOST,
  daemon_crashed: LostCause.DAEMON_CRASHED,
};

const PHASES: Record<ProgressBody['phase'], ProgressPhase> = {
  waiting_for_sandbox: ProgressPhase.WAITING_FOR_SANDBOX,
  creating_sandbox: ProgressPhase.CREATING_SANDBOX,
};

/** One event of an execution as the contract has it. */
export function toExecuteEvent(event: ExecutionEvent, executionId: string, replayed: boolean): ExecuteEvent {
  return { seq: event.seq, time: new Date(event.time), event: toBody(event.body, executionId, replayed) };
}

function toBody(body: ExecutionEvent['body'], executionId: string, replayed: boolean): ExecuteEvent['event'] {
  switch (body.type) {
    case 'output': {
      const stream = body.stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
      return {
        $case: 'output',
        value: { stream, data: Buffer.from(body.data.buffer, body.data.byteOffset, body.data.byteLength) },
      };
    }
    case 'progress': {
      const { queuePosition, message } = body;
      return { $case: 'progress', value: { phase: PHASES[body.phase], queuePosition, message } };
    }
    case 'started':
      return { $case: 'started', value: toStarted(body, executionId, replayed) };
    case 'ended':
      return { $case: 'ended', value: toEnded(body) };
  }
}

type Value<Case extends string> = Extract<NonNullable<ExecuteEvent['event']>, { $case: Case }>['value'];

export function toStarted(body: StartedBody, executionId: string, replayed: boolean): Value<'started'> {
  return {
    executionId,
    sandboxId: body.sandboxId,
    servedBy: body.servedBy === undefined ? ServedBy.UNSPECIFIED : SERVED_BY[body.servedBy],
    engine: body.engine,
    poolOutcome: outcomeOf(body.poolHit),
    missReason: body.missReason === undefined ? PoolMissReason.UNSPECIFIED : MISS_REASONS[body.missReason],
    servedReason: body.servedReason,
    acquireMs: body.acquireMs,
    startPath: START_PATHS[body.startPath],
    startReason: body.startPathReason,
    poolId: body.poolId,
    isolation: body.isolation === undefined ? IsolationEnum.UNSPECIFIED : ISOLATIONS[body.isolation],
    image: body.image,
    language: body.language,
    languageVersion: body.languageVersion,
    replayed,
    findings: [],
    limitsEnforced: body.limitsEnforced,
  };
}

function outcomeOf(hit: boolean | undefined): PoolOutcome {
  if (hit === undefined) return PoolOutcome.UNSPECIFIED;
  return hit ? PoolOutcome.HIT : PoolOutcome.MISS;
}

export function toEnded(body: EndedBody): Value<'ended'> {
  const { usage } = body;
  return {
    reason: END_REASONS[body.reason],
    exitCode: body.exitCode,
    signal: body.signal,
    usage: {
      wallMs: usage.wallMs,
      userCpuMs: usage.userCpuMs,
      systemCpuMs: usage.systemCpuMs,
      peakMemoryBytes: usage.peakMemoryBytes,
      peakMemorySource: PEAK_SOURCES[usage.peakMemorySource],
      stdoutBytes: usage.stdoutBytes,
      stderrBytes: usage.stderrBytes,
      oomKills: usage.oomKills,
    },
    truncated: body.truncated,
    message: body.message,
    resetReceipt: body.receipt === undefined ? undefined : toReceipt(body.receipt),
    cancelCause: body.cancelCause === undefined ? CancelCause.UNSPECIFIED : CANCEL_CAUSES[body.cancelCause],
    lostCause: body.lostCause === undefined ? LostCause.UNSPECIFIED : LOST_CAUSES[body.lostCause],
    collectFindings: [],
  };
}

export function toReceipt(receipt: ResetReceipt): ReceiptMessage {
  const outside = receipt.verifiedBy === 'runner+cgroup' ? [ResetVerifier.HOST_CGROUP] : [];
  return {
    resetTime: new Date(receipt.at),
    tookMs: receipt.elapsedMs,
    ok: receipt.ok,
    killedProcesses: receipt.killedProcesses,
    removedFiles: receipt.removedFiles,
    removedBytes: receipt.removedBytes,
    removedIpcObjects: receipt.removedIpc,
    remainingProcesses: receipt.remainingProcesses,
    remainingFiles: receipt.remainingFiles,
    memoryBytes: receipt.memoryBytes,
    verifiedBy: [ResetVerifier.RUNNER, ...outside],
    error: receipt.error,
    number: receipt.number,
  };
}
