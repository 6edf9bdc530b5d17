import { OutputStream } from '../../clients/typescript/src/gen/berth/v1/common.js';
import {
  ActivityKind as ActivityEnum,
  EnvHealth,
  EnvOperation,
  EnvState as StateEnum,
  EnvWarningKind,
  OperationOutcome,
  ResourceKind,
  RestartPolicy,
  type Env as EnvMessage,
  type EnvDatabase as DatabaseMessage,
  type EnvError,
  type EnvEvent as EventMessage,
  type HeldResource,
  type LogLine,
  type UndoFailed,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import { Code } from '../../clients/typescript/src/gen/google/rpc/code.js';
import { ERROR_REASONS, type ErrorReason } from '../domain/error-reasons.js';
import type { ProjectContainer } from '../domain/env/engine.js';
import type { EnvPresence } from '../domain/env/env-queries.js';
import type {
  Env,
  EnvDatabase as Database,
  EnvEvent,
  ActivityKind,
  EnvEventBody,
  EnvHealth as Health,
  EnvState,
  OperationError,
  OperationKind,
  StepTiming,
  UndoneThing,
} from '../domain/env/model.js';

export const STATES: Record<EnvState, StateEnum> = {
  deploying: StateEnum.DEPLOYING,
  running: StateEnum.RUNNING,
  stopping: StateEnum.STOPPING,
  stopped: StateEnum.STOPPED,
  starting: StateEnum.STARTING,
  resetting: StateEnum.RESETTING,
  destroying: StateEnum.DESTROYING,
  broken: StateEnum.BROKEN,
  failed: StateEnum.FAILED,
  destroyed: StateEnum.DESTROYED,
};

const OPERATIONS: Record<OperationKind, EnvOperation> = {
  deploy: EnvOperation.DEPLOY,
  stop: EnvOperation.STOP,
  start: EnvOperation.START,
  reset: EnvOperation.RESET,
  destroy: EnvOperation.DESTROY,
  expire: EnvOperation.EXPIRE,
  extend: EnvOperation.UNSPECIFIED,
  join: EnvOperation.UNSPECIFIED,
};

export const RESOURCES: Record<UndoneThing['kind'], ResourceKind> = {
  container: ResourceKind.CONTAINER,
  network: ResourceKind.NETWORK,
  volume: ResourceKind.VOLUME,
  directory: ResourceKind.DIRECTORY,
  port: ResourceKind.PORT,
  file: ResourceKind.FILE,
  schema: ResourceKind.SCHEMA,
  user: ResourceKind.DATABASE_USER,
};

const HEALTHS: Record<Health, EnvHealth> = {
  unknown: EnvHealth.UNSPECIFIED,
  none: EnvHealth.NONE,
  starting: EnvHealth.STARTING,
  healthy: EnvHealth.HEALTHY,
  unhealthy: EnvHealth.UNHEALTHY,
};

export const ACTIVITIES: Record<ActivityKind, ActivityEnum> = {
  operation: ActivityEnum.OPERATION,
  session: ActivityEnum.SESSION,
  traffic: ActivityEnum.TRAFFIC,
  extended: ActivityEnum.EXTENDED,
};

/** Codes of warnings that the contract has a kind for; any other stands before its message. */
const WARNINGS: Record<string, EnvWarningKind> = {
  EXPIRES_SOON: EnvWarningKind.EXPIRES_SOON,
  IDLE_SOON: EnvWarningKind.IDLE_SOON,
  DISK: EnvWarningKind.DISK,
  MEMORY: EnvWarningKind.MEMORY,
  RESTARTED: EnvWarningKind.RESTARTED,
  DRIFT: EnvWarningKind.DRIFT,
};

export function toEnv(env: Env, present: EnvPresence): EnvMessage {
  const [main = ''] = env.containerIds;
  return {
    envId: env.id,
    userId: env.userId,
    systemId: env.systemId,
    appId: env.appId,
    state: present.queued ? StateEnum.QUEUED : STATES[env.state],
    health: EnvHealth.UNSPECIFIED,
    healthMessage: env.healthMessage || env.stateReason,
    url: env.url,
    port: env.port ?? 0,
    containerPort: 0,
    runtime: env.runtime,
    appDigest: env.appDigest,
    containerId: main,
    containerName: main === '' ? '' : env.id,
    containers: [],
    createTime: new Date(env.createdAt),
    updateTime: new Date(env.updatedAt),
    readyTime: timeOrNone(env.readyAt),
    expireTime: timeOrNone(env.expiresAt),
    lastActivityTime: timeOrNone(env.lastActivity?.at ?? null),
    idleTimeoutMs: env.idleTimeoutMs,
    limits: undefined,
    database: env.database === null ? undefined : toDatabase(env.database),
    directory: env.directory,
    allowedSources: [],
    network: undefined,
    restartPolicy: env.restartPolicy === 'no' ? RestartPolicy.NO : RestartPolicy.UNLESS_STOPPED,
    operation: present.operation ? OPERATIONS[present.operation] : EnvOperation.UNSPECIFIED,
    operationId: present.operationId,
    lastSeq: present.lastSeq,
    lastError: present.lastFailure && toEnvError(present.lastFailure.error, present.lastFailure.at),
    labels: env.labels,
    host: env.host,
    diskBytes: env.diskBytes,
    attachable: false,
  };
}

function toDatabase({ provider, data }: Database): DatabaseMessage {
  const { host = '', port = 0, schema = '', user = '', maxConnections = 0 } = data;
  return { provider, host, port, name: schema, user, maxConnections };
}

/** The message with what only a live look at the containers tells. */
export function withContainers(env: EnvMessage, row: Env, containers: ProjectContainer[]): EnvMessage {
  const [app] = containers;
  if (app === undefined) return env;
  return {
    ...env,
    health: liveHealth(row, app),
    containerPort: app.publishedPorts[0] ?? 0,
    attachable: app.tty === true && app.stdinOpen === true,
    limits: { memoryBytes: app.memoryBytes, cpus: app.cpus, maxProcesses: 0, scratchBytes: 0 },
    containers: containers.map((container) => ({
      service: container.service,
      containerId: container.id,
      name: container.name,
      image: container.image,
      state: container.state,
      health: HEALTHS[container.health],
      startTime: container.startedAt === 0 ? undefined : new Date(container.startedAt),
      exitCode: container.state === 'exited' || container.state === 'dead' ? container.exitCode : undefined,
      restartCount: container.restartCount,
      oomKilled: container.oomKilled,
    })),
  };
}

/** What Docker's health check says, if it has come to a result; else what was seen last. */
function liveHealth(row: Env, app: ProjectContainer): EnvHealth {
  const decided = app.health === 'healthy' || app.health === 'unhealthy';
  return HEALTHS[app.state === 'running' && decided ? app.health : row.health];
}

/** One event as the contract has it. `env` is asked for only where the message carries the env as it is now. */
export async function toEnvEvent(event: EnvEvent, env: () => Promise<EnvMessage>): Promise<EventMessage> {
  return {
    seq: event.seq,
    time: new Date(event.time),
    envId: event.envId,
    operationId: event.operationId,
    event: await toBody(event, env),
  };
}

async function toBody(event: EnvEvent, env: () => Promise<EnvMessage>): Promise<EventMessage['event']> {
  const { body } = event;
  switch (body.type) {
    case 'operation_started':
      return {
        $case: 'started',
        value: {
          operation: OPERATIONS[body.kind],
          steps: body.plan,
          appDigest: '',
          queuedMs: 0,
          recovered: body.recovered,
        },
      };
    case 'queued':
      return {
        $case: 'queued',
        value: {
          position: body.position,
          running: body.running ?? 0,
          reason: body.reason ?? 'other operations are under way',
        },
      };
    case 'step_started':
      return {
        $case: 'stepStarted',
        value: {
          step: body.step,
          index: body.ordinal + 1,
          total: body.total,
          title: body.step.replaceAll('_', ' '),
        },
      };
    case 'step_completed':
      return {
        $case: 'stepCompleted',
        value: {
          step: body.step,
          index: body.ordinal + 1,
          total: body.total,
          tookMs: body.elapsedMs,
          detail: body.detail,
        },
      };
    case 'step_failed':
      return {
        $case: 'stepFailed',
        value: {
          step: body.step,
          index: body.ordinal + 1,
          total: body.total,
          tookMs: body.elapsedMs,
          reason: body.reason,
          message: body.message,
          logLines: toLogLines(body.logTail),
        },
      };
    case 'undo_started':
      return { $case: 'undoStarted', value: { step: body.step } };
    case 'undo_completed':
      return {
        $case: 'undoCompleted',
        value: { step: body.step, tookMs: body.elapsedMs, removed: body.removed.map(toHeld) },
      };
    case 'undo_failed':
      return { $case: 'undoFailed', value: toUndoFailed(body.step, body.message, body.elapsedMs) };
    case 'state_changed':
      return {
        $case: 'stateChanged',
        value: {
          from: body.from === undefined ? StateEnum.UNSPECIFIED : STATES[body.from],
          to: STATES[body.state],
          reason: body.reason,
        },
      };
    case 'warning':
      return {
        $case: 'warning',
        value: {
          kind: WARNINGS[body.code] ?? EnvWarningKind.UNSPECIFIED,
          message: body.code in WARNINGS ? body.message : `${body.code}: ${body.message}`,
          effectiveTime: timeOrNone(body.effectiveAt ?? null),
          finding: undefined,
        },
      };
    case 'health_changed':
      return {
        $case: 'healthChanged',
        value: { from: HEALTHS[body.from], to: HEALTHS[body.to], message: body.message },
      };
    case 'expiry_changed':
      return {
        $case: 'expiryChanged',
        value: { expireTime: timeOrNone(body.expiresAt), cause: ACTIVITIES[body.cause] },
      };
    case 'succeeded':
      return {
        $case: 'succeeded',
        value: {
          env: await env(),
          outcome: toOutcome(body),
          tookMs: body.elapsedMs,
          timings: body.timings.map(toTiming),
          removed: (body.removed ?? []).map(toHeld),
        },
      };
    case 'failed':
      return {
        $case: 'failed',
        value: {
          error: toEnvError(body.error, event.time),
          env: await env(),
          tookMs: body.elapsedMs,
          timings: body.timings.map(toTiming),
        },
      };
    case 'cancelled':
      return {
        $case: 'cancelled',
        value: {
          message: body.message,
          env: await env(),
          undoErrors: body.undoErrors.map((message) => toUndoFailed('', message, 0)),
          tookMs: body.elapsedMs,
          timings: (body.timings ?? []).map(toTiming),
        },
      };
  }
}

function toOutcome(body: Extract<EnvEventBody, { type: 'succeeded' }>): OperationOutcome {
  switch (body.outcome) {
    case 'deployed':
      return OperationOutcome.CREATED;
    case 'already_running':
    case 'unchanged':
      return OperationOutcome.UNCHANGED;
    case 'started':
      return OperationOutcome.STARTED;
    case 'replaced':
      return OperationOutcome.REPLACED;
    case 'changed':
      return toChange(body.kind);
  }
}

function toChange(kind: OperationKind): OperationOutcome {
  switch (kind) {
    case 'deploy':
    case 'start':
      return OperationOutcome.STARTED;
    case 'stop':
      return OperationOutcome.STOPPED;
    case 'reset':
      return OperationOutcome.RESET;
    case 'destroy':
    case 'expire':
      return OperationOutcome.DESTROYED;
    case 'extend':
    case 'join':
      return OperationOutcome.UNCHANGED;
  }
}

function toEnvError(error: OperationError, time: number): EnvError {
  return {
    reason: error.reason,
    message: error.message,
    step: error.step,
    logLines: toLogLines(error.logTail),
    undoErrors: error.undoErrors.map((message) => toUndoFailed('', message, 0)),
    metadata: error.metadata ?? {},
    retryAfterMs: error.retryAfterMs ?? 0,
    time: new Date(time),
    code: Code[codeNameOf(error.reason)],
  };
}

function codeNameOf(reason: string): keyof typeof Code {
  return reason in ERROR_REASONS ? ERROR_REASONS[reason as ErrorReason][0] : 'INTERNAL';
}

function toUndoFailed(step: string, message: string, tookMs: number): UndoFailed {
  return { step, tookMs, message, left: [], retryTime: undefined };
}

function toTiming({ step, elapsedMs }: StepTiming): { step: string; tookMs: number } {
  return { step, tookMs: elapsedMs };
}

function toHeld({ kind, name }: UndoneThing): HeldResource {
  return { kind: RESOURCES[kind], name, id: '', state: '' };
}

function timeOrNone(time: number | null): Date | undefined {
  return time === null ? undefined : new Date(time);
}

function toLogLines(lines: string[]): LogLine[] {
  return lines.map((text) => ({
    service: 'app',
    stream: OutputStream.UNSPECIFIED,
    time: undefined,
    text: Buffer.from(text),
  }));
}
