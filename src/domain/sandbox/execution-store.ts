import type { PagePosition } from '../page-token.js';
import type { EndedBody } from './execution.js';
import type { ExecutionFilter, ExecutionRecord } from './execution-record.js';

/** One life of a daemon. Of several daemons on one database each has an owner of its own. */
export interface DaemonLife {
  /** The label value of the daemon: the same in all its lives. */
  owner: string;
  /** Of this life alone. */
  life: string;
}

/**
 * Where records of executions are kept. Every method throws BerthError STORE_UNAVAILABLE while the database is away.
 */
export interface ExecutionStore {
  /** Writes these records over what is there, all or none. */
  save(of: DaemonLife, records: readonly ExecutionRecord[]): Promise<void>;

  /**
   * Commits a durable execution before it runs. UNIQUE (tenant, request id) among the durable ones decides.
   * Resolves to the record that holds the request id: the given one, or an earlier one.
   */
  claim(of: DaemonLife, record: ExecutionRecord): Promise<ExecutionRecord>;

  get(tenant: string, executionId: string): Promise<ExecutionRecord | undefined>;

  /** The newest record of this life of a request id. */
  findByRequest(of: DaemonLife, tenant: string, requestId: string): Promise<ExecutionRecord | undefined>;

  /** At most `limit` records behind `after`, newest first. */
  list(filter: ExecutionFilter, after: PagePosition | undefined, limit: number): Promise<ExecutionRecord[]>;

  /**
   * Ends, as `ended` says, what an earlier life of this owner left unended. Resolves to how many there were.
   */
  endLost(of: DaemonLife, ended: EndedBody, now: number): Promise<number>;

  /**
   * Removes at most `limit` records of this owner that have ended: those that were asked for before `before`, and the oldest
   * beyond `keep` of them. A request id of this life stays, so that it is never run twice. Resolves to how many were removed.
   */
  removeOld(of: DaemonLife, before: number, keep: number, limit: number): Promise<number>;
}
