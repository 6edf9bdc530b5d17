import type {
  EnvActivity as ActivityMessage,
  Env as EnvMessage,
  ExplainEnvResponse,
  UsageRow,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import { ResourceKind } from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import type { EnvUse, Explanation, Held } from '../domain/env/life/explanation.js';
import type { Env, EnvActivity } from '../domain/env/model.js';
import { ACTIVITIES, RESOURCES } from './env-messages.js';

const HOUR_MS = 3_600_000;
const GIB = 1024 ** 3;

const KINDS: Record<Held['kind'], ResourceKind> = {
  ...RESOURCES,
  image: ResourceKind.IMAGE,
  subnet: ResourceKind.SUBNET,
};

export function toExplanation(
  env: EnvMessage,
  row: Env,
  explanation: Explanation,
  now: number,
): ExplainEnvResponse {
  const { goesAt, use } = explanation;
  return {
    env,
    aliveBecause: explanation.aliveBecause,
    lastActivity: toActivity(explanation.lastActivity),
    lastExtension: toActivity(explanation.lastExtension),
    goesTime: goesAt === undefined ? undefined : new Date(goesAt),
    goesBecause: explanation.goesBecause,
    blockers: explanation.blockers.map(({ reason, message, since }) => ({
      reason,
      message,
      sinceTime: since === undefined ? undefined : new Date(since),
    })),
    held: explanation.held.map(({ kind, ...rest }) => ({ ...rest, kind: KINDS[kind] })),
    pendingUndos: explanation.pendingUndos.map(({ step, message, left, retryAt }) => ({
      step,
      message,
      tookMs: 0,
      left: left.map(({ kind, name }) => ({ kind: KINDS[kind], name, id: '', state: '' })),
      retryTime: new Date(retryAt),
    })),
    usage: use && toUsage(row, use, now),
    memoryBytes: use?.memoryBytes ?? 0,
    cpus: use?.cpus ?? 0,
  };
}

function toActivity(activity: EnvActivity | null): ActivityMessage | undefined {
  if (!activity) return undefined;
  return { time: new Date(activity.at), kind: ACTIVITIES[activity.kind], detail: activity.detail };
}

/** What its containers used since they were started; what they used before is gone with Docker's counters. */
function toUsage(env: Env, use: EnvUse, now: number): UsageRow {
  const hours = Math.max(0, now - use.since) / HOUR_MS;
  return {
    envId: env.id,
    userId: env.userId,
    systemId: env.systemId,
    appId: env.appId,
    taskId: '',
    startTime: new Date(use.since),
    endTime: new Date(now),
    envHours: hours,
    cpuHours: use.cpuSeconds / 3_600,
    reservedCpuHours: use.reservedCpus * hours,
    memoryGibHours: (use.reservedMemoryBytes / GIB) * hours,
    diskGibHours: (env.diskBytes / GIB) * hours,
    executions: 0,
    costMicros: 0,
  };
}
