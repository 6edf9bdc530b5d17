import type { RecordedDatabase } from '../database/variables.js';

/**
 * deploying: the first operation is under way. running/stopped: at rest. stopping/starting/resetting/destroying: an
 * operation is under way. broken: an operation failed in a way that left the env unusable but present (deploy again or
 * destroy). failed: the deployment failed and everything was undone; destroyed: it is gone. The last two are kept for
 * their event log only and hold nothing.
 */
export type EnvState =
  | 'deploying'
  | 'running'
  | 'stopping'
  | 'stopped'
  | 'starting'
  | 'resetting'
  | 'destroying'
  | 'broken'
  | 'failed'
  | 'destroyed';

/** States in which an env holds nothing any more. */
export const ENDED_STATES: readonly EnvState[] = ['failed', 'destroyed'];

/** An env as the store keeps it. Times are milliseconds since the epoch. */
export interface Env {
  /** `env-` + 12 hex digits; also the container name and the compose project name. */
  id: string;
  tenant: string;
  userId: string;
  systemId: string;
  appId: string;
  state: EnvState;
  /** Why it is in that state, for a person; empty when there is nothing to say. */
  stateReason: string;
  /** sha256 of the app's content and metadata: decides whether a running env is current. */
  appDigest: string;
  runtime: string;
  /** Host port, once claimed. */
  port: number | null;
  /** `http://host:port`; empty for a CLI. */
  url: string;
  /** `{base}/{tenant}/{user}/{system}/{app}` absolute. */
  directory: string;
  /** Folder mounted read-only into the app container; under `directory` when the files came in the request. */
  appDirectory: string;
  /** Container ids, main service first; empty until created. */
  containerIds: string[];
  createdAt: number;
  updatedAt: number;
  /** When its time to live is over. Null: never, or it has not succeeded yet. */
  expiresAt: number | null;
  /** Owner and host name of the daemon that has it: only that one ends it, starts it again, looks at its health. */
  owner: string;
  host: string;
  /** As it was deployed with. */
  ttlMs: number;
  /** 0: never idle for too long. */
  idleTimeoutMs: number;
  /** When it last became able to answer. */
  readyAt: number | null;
  lastActivity: EnvActivity | null;
  /** What changed `expiresAt` last. */
  lastExtension: EnvActivity | null;
  /** The `expiresAt` of which its users were warned. */
  expiryWarnedFor: number | null;
  /** The end of its idle time of which they were warned. */
  idleWarnedFor: number | null;
  restartPolicy: RestartPolicy;
  /** As last told by Docker's events. */
  health: EnvHealth;
  healthMessage: string;
  /** What `prepare_database` made; null without a database. */
  database: EnvDatabase | null;
  /** As last measured: its directory and volumes. 0: not yet. */
  diskBytes: number;
  labels: Record<string, string>;
}

/** `none`: it has no health to check; `unknown`: it does not run. */
export type EnvHealth = 'unknown' | 'starting' | 'healthy' | 'unhealthy' | 'none';

/** Whether it comes back after the host, the engine or the daemon restarted. */
export type RestartPolicy = 'unless_stopped' | 'no';

/** Something that keeps an env alive. */
export type ActivityKind = 'operation' | 'session' | 'traffic' | 'extended';

export interface EnvActivity {
  at: number;
  kind: ActivityKind;
  /** For people: "ExtendEnv by 1 h", "14 connections". */
  detail: string;
}

/** What a reset needs to load an env's database anew. JSON, no secrets. */
export interface EnvDatabase {
  provider: string;
  /** `database` of the metadata. */
  request: Record<string, unknown>;
  /** What its provider recorded. */
  data: Partial<RecordedDatabase>;
}

/** The one env of a tenant, user, system and app that is not ended. */
export interface EnvKey {
  tenant: string;
  userId: string;
  systemId: string;
  appId: string;
}

/**
 * `expire` is a destroy by the daemon; `extend` and `join` (of a call that joined what was under way) are recorded for
 * their request ids alone and have no events of their own.
 */
export type OperationKind = 'deploy' | 'stop' | 'start' | 'reset' | 'destroy' | 'expire' | 'extend' | 'join';

/** running: under way (or cut off by a crash: boot recovers it). undoing: a step failed, undo is under way. */
export type OperationState = 'running' | 'undoing' | 'succeeded' | 'failed' | 'undo_incomplete';

export interface Operation {
  /** `op-…` */
  id: string;
  envId: string;
  tenant: string;
  kind: OperationKind;
  state: OperationState;
  /** The caller's `request_id`; empty when none was given. */
  requestId: string;
  /** sha256 of the request, to tell a replay from a reuse of the id. */
  requestDigest: string;
  startedAt: number;
  endedAt: number | null;
  /** First cause when it failed. */
  error: OperationError | null;
  /** The inputs that recovery needs; JSON, no secrets. */
  input: Record<string, unknown>;
}

export interface OperationError {
  reason: string;
  message: string;
  /** Step that failed; empty when none had begun. */
  step: string;
  /** Last lines of the app's log, oldest first. */
  logTail: string[];
  undoErrors: string[];
  /** When it is worth another try, in milliseconds; absent: trying again does not help by itself. */
  retryAfterMs?: number | undefined;
  metadata?: Record<string, string>;
  /** Somebody cancelled it: no failure of the env. */
  cancelled?: true;
}

/** intent: committed before the step runs. done: its effect exists. undone: its effect is gone again. */
export type CheckpointState = 'intent' | 'done' | 'undone' | 'undo_failed';

/** One step of one operation, as committed. */
export interface Checkpoint {
  operationId: string;
  /** Position in the plan, from 0. */
  ordinal: number;
  step: string;
  state: CheckpointState;
  /** What the step made (names, ids), so that its undo needs nothing else. JSON. */
  data: Record<string, unknown>;
  startedAt: number;
  endedAt: number | null;
}

/** One line of an env's event log. `seq` rises by one over the env's whole life. */
export interface EnvEvent {
  envId: string;
  seq: number;
  operationId: string;
  time: number;
  body: EnvEventBody;
}

export type UndoneThing = {
  kind: 'container' | 'network' | 'volume' | 'directory' | 'port' | 'file' | 'schema' | 'user';
  name: string;
};

/** How long a step took, of those that this life of the daemon ran. */
export interface StepTiming {
  step: string;
  elapsedMs: number;
}

/** The members `succeeded`, `failed` and `cancelled` are terminal: the last event of their operation. */
export type EnvEventBody =
  | { type: 'operation_started'; kind: OperationKind; plan: string[]; recovered: boolean }
  | { type: 'queued'; position: number; running?: number; reason?: string }
  | { type: 'step_started'; step: string; ordinal: number; total: number }
  | {
      type: 'step_completed';
      step: string;
      ordinal: number;
      total: number;
      elapsedMs: number;
      detail: string;
    }
  | {
      type: 'step_failed';
      step: string;
      ordinal: number;
      total: number;
      elapsedMs: number;
      reason: string;
      message: string;
      logTail: string[];
    }
  | { type: 'undo_started'; step: string }
  | { type: 'undo_completed'; step: string; elapsedMs: number; removed: UndoneThing[] }
  | { type: 'undo_failed'; step: string; elapsedMs: number; message: string }
  | { type: 'state_changed'; from: EnvState | undefined; state: EnvState; reason: string }
  | { type: 'health_changed'; from: EnvHealth; to: EnvHealth; message: string }
  | { type: 'expiry_changed'; expiresAt: number | null; cause: ActivityKind }
  /** `effectiveAt`: when what it warns of happens. */
  | { type: 'warning'; code: string; message: string; effectiveAt?: number }
  | {
      type: 'succeeded';
      kind: OperationKind;
      state: EnvState;
      elapsedMs: number;
      timings: StepTiming[];
      outcome: 'deployed' | 'already_running' | 'started' | 'replaced' | 'changed' | 'unchanged';
      /** Absent in events of before it was recorded. */
      removed?: UndoneThing[];
    }
  | { type: 'failed'; kind: OperationKind; error: OperationError; elapsedMs: number; timings: StepTiming[] }
  | {
      type: 'cancelled';
      kind: OperationKind;
      message: string;
      undoErrors: string[];
      elapsedMs: number;
      /** Absent in events of before it was recorded. */
      timings?: StepTiming[];
    };

export function isTerminal(body: EnvEventBody): boolean {
  return body.type === 'succeeded' || body.type === 'failed' || body.type === 'cancelled';
}
