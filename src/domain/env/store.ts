import type {
  Checkpoint,
  CheckpointState,
  Env,
  EnvActivity,
  EnvEvent,
  EnvEventBody,
  EnvKey,
  EnvState,
  Operation,
  OperationError,
  OperationState,
} from './model.js';

export interface Page<T> {
  items: T[];
  /** Opaque; empty on the last page. */
  nextPageToken: string;
}

export interface EnvFilter {
  tenant: string;
  userId?: string;
  systemId?: string;
  appId?: string;
  states?: EnvState[];
  includeEnded?: boolean;
  /** Envs that have all of these. */
  labels?: Record<string, string>;
}

export type EnvPatch = Partial<
  Pick<
    Env,
    | 'state'
    | 'stateReason'
    | 'appDigest'
    | 'runtime'
    | 'port'
    | 'url'
    | 'directory'
    | 'appDirectory'
    | 'containerIds'
    | 'expiresAt'
    | 'ttlMs'
    | 'idleTimeoutMs'
    | 'readyAt'
    | 'lastActivity'
    | 'lastExtension'
    | 'expiryWarnedFor'
    | 'idleWarnedFor'
    | 'restartPolicy'
    | 'health'
    | 'healthMessage'
    | 'database'
    | 'labels'
  >
>;

/** What an env of a tenant was used for. */
export interface NotedActivity {
  tenant: string;
  envId: string;
  activity: EnvActivity;
}

export interface CheckpointChange {
  operationId: string;
  ordinal: number;
  step: string;
  state: CheckpointState;
  data?: Record<string, unknown>;
}

/** What is appended to an env's event log; the store gives it its `seq` and time. */
export interface NewEvent {
  envId: string;
  operationId: string;
  body: EnvEventBody;
}

/**
 * Envs, their operations, checkpoints and event log. Every method is one transaction: when it resolves, it is
 * committed. Events go with the change that they tell of, in the same transaction.
 * All throw STORE_UNAVAILABLE when the database does not answer.
 */
export interface EnvStore {
  /**
   * Claims the key (UNIQUE over live envs) with a new env in state `deploying` and its first operation.
   * Resolves to `{ conflict }` with the live env that holds the key already, changing nothing.
   * @throws BerthError REQUEST_ID_REUSED (metadata `operation_id`) when the tenant has used the request id, even if that
   * was at the same instant: whoever gets it looks the operation up, and replays it or refuses
   */
  claim(
    env: Env,
    operation: Operation,
    events: EnvEventBody[],
  ): Promise<{ env: Env; events: EnvEvent[] } | { conflict: Env }>;

  /**
   * Begins an operation on a live env: only if the env is in one of `from` (conditional update), sets `state` and
   * clears `stateReason`. Resolves to `{ refused }` with the env as it is otherwise (undefined: no such live env).
   * @throws BerthError REQUEST_ID_REUSED as `claim`
   */
  beginOperation(
    operation: Operation,
    from: readonly EnvState[],
    state: EnvState,
    events: EnvEventBody[],
  ): Promise<{ env: Env; events: EnvEvent[] } | { refused: Env | undefined }>;

  get(tenant: string, envId: string): Promise<Env | undefined>;
  findLive(key: EnvKey): Promise<Env | undefined>;
  /**
   * Newest first. `states` picks exactly those; without it, ended envs are left out unless `includeEnded`.
   * @throws BerthError PAGE_TOKEN_INVALID when the token is not one of this filter's
   */
  list(filter: EnvFilter, pageSize: number, pageToken: string): Promise<Page<Env>>;
  /** Every env that is not ended, of every tenant: what exists must be what these say. */
  listLive(): Promise<Env[]>;

  findOperationByRequest(tenant: string, requestId: string): Promise<Operation | undefined>;
  getOperation(operationId: string): Promise<Operation | undefined>;
  /** The newest operation that succeeded, or that failed (it may still be undone); a cancelled one, `extend` and `join` do not count. */
  lastOutcome(envId: string): Promise<Operation | undefined>;
  /** Operations in state `running`, `undoing` or `undo_incomplete`, oldest first: what a boot or reconcile has to finish. */
  listUnfinished(): Promise<Operation[]>;

  /**
   * Changes env, operation and checkpoints in any combination and appends events, in one transaction. Ended envs free their
   * key for good. A checkpoint is made or changed; without `data` it keeps what it has.
   * @throws BerthError ENV_NOT_FOUND; ENV_STATE when an ended env would become live again; STORE_UNAVAILABLE with metadata
   * `outcome: unknown` when the connection broke while committing (the change may have been made: read before repeating)
   */
  commit(change: {
    env?: { id: string; patch: EnvPatch };
    /** An operation that is over already, for its request id. @throws REQUEST_ID_REUSED as `claim` */
    newOperation?: Operation;
    operation?: { id: string; state: OperationState; error?: OperationError | null };
    checkpoints?: CheckpointChange[];
    events?: NewEvent[];
  }): Promise<EnvEvent[]>;

  /**
   * Records what envs were used for, unless something later is recorded already. Leaves `updatedAt` alone, appends no
   * events, and skips envs that ended.
   */
  saveActivities(activities: readonly NotedActivity[]): Promise<void>;
  /** Records what was measured, as `saveActivities`. */
  saveDiskBytes(sizes: ReadonlyMap<string, number>): Promise<void>;

  checkpoints(operationId: string): Promise<Checkpoint[]>;
  /** Events with `seq > afterSeq`, oldest first, at most `limit`. */
  events(envId: string, afterSeq: number, limit: number): Promise<EnvEvent[]>;
  lastSeq(envId: string): Promise<number>;
}

/** Host ports by conditional update, as seed 003 says; never check-then-act. */
export interface PortStore {
  /** Ports that the table has as USED. */
  used(): Promise<Set<number>>;
  /** Makes `port` this env's if it is free: `UPDATE … WHERE status = 'FREE'`, or an insert. False when somebody else was first. */
  claim(port: number, envId: string): Promise<boolean>;
  /** Frees it if it is this env's. */
  release(port: number, envId: string): Promise<boolean>;
  list(): Promise<{ port: number; envId: string; allocatedAt: number }[]>;
}

/** Who of several daemons on one database does what comes round on a timer; time is the database's own. */
export interface LeaseStore {
  /** Takes or renews the lease for `ttlMs` from now. False while another holder has it. */
  take(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Gives it up if it is this holder's. */
  release(name: string, holder: string): Promise<void>;
}
