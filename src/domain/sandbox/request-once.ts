import { BerthError, isBerthError } from '../errors.js';
import type { ExecutionDirectory } from './execution-directory.js';
import type { ExecutionRecord } from './execution-record.js';
import type { ExecutionRecorder } from './execution-recorder.js';
import type { ExecutionRegistry } from './execution-registry.js';
import type { ExecutionRequest } from './execution.js';
import type { DaemonLife, ExecutionStore } from './execution-store.js';
import type { LiveExecution } from './live-execution.js';
import { keyOf, RequestIds, type RequestUse } from './request-ids.js';
import { live, recorded, type Submitted } from './submitted.js';

export interface RequestOnceOptions {
  registry: ExecutionRegistry;
  recorder: ExecutionRecorder;
  directory: ExecutionDirectory;
  store: ExecutionStore;
  of: DaemonLife;
  /** Request ids whose execution is known without asking the store. */
  maxRequestIds: number;
}

/** Makes and starts executions. */
export interface ExecutionMaker {
  /** @throws SHUTTING_DOWN, OVERLOADED */
  admit(): void;
  /** Not started, and known to nobody. `id`: one of its own where undefined. */
  make(request: ExecutionRequest, id?: string): LiveExecution;
  start(execution: LiveExecution): Submitted;
}

/**
 * Sees to it that a request with a `request_id` runs once: a repeat of a tenant's never runs again in this life of the
 * daemon, and a durable one's in none, as long as its record is kept.
 */
export class RequestOnce {
  readonly #requests: RequestIds;
  /** Requests whose id is being looked up or committed, so that a repeat meanwhile waits for the first. */
  readonly #submitting = new Map<string, Promise<Submitted>>();
  /** The ids under which durable requests may have been committed, when the connection broke in the middle. */
  readonly #unsure = new Map<string, string>();

  constructor(
    private readonly options: RequestOnceOptions,
    private readonly executions: ExecutionMaker,
  ) {
    this.#requests = new RequestIds(options.maxRequestIds);
  }

  /** @throws as Executor.execute */
  async submit(request: ExecutionRequest): Promise<Submitted> {
    const { tenant, requestId } = request;
    const use = this.#requests.get(tenant, requestId);
    if (use !== undefined) return this.#repeat(request, use);
    const key = keyOf(tenant, requestId);
    const first = this.#submitting.get(key);
    if (first !== undefined) {
      await first;
      return this.submit(request);
    }
    if (!request.durable && !this.#requests.hasForgotten) return this.#begin(request);
    const submitting = request.durable ? this.#commitFirst(request, key) : this.#lookUpFirst(request);
    this.#submitting.set(key, submitting);
    try {
      return await submitting;
    } finally {
      this.#submitting.delete(key);
    }
  }

  /** A cancel does no harm twice: repeating it is answered as the first time by itself. @throws REQUEST_ID_REUSED */
  useForCancel(
    tenant: string,
    executionId: string,
    { requestId, digest }: { requestId: string; digest: string },
  ): void {
    if (requestId === '') return;
    const use = this.#requests.get(tenant, requestId);
    if (use !== undefined && (use.method !== 'cancel' || use.digest !== digest)) throw reused(requestId);
    if (use === undefined) this.#requests.set(tenant, requestId, { method: 'cancel', digest, executionId });
  }

  /** The one who uses a request id again gets what it stands for. */
  async #repeat(request: ExecutionRequest, use: RequestUse): Promise<Submitted> {
    if (use.method !== 'execute' || use.digest !== request.digest) throw reused(request.requestId);
    const { registry, directory } = this.options;
    const execution = registry.get(request.tenant, use.executionId);
    if (execution !== undefined) return live(execution, true);
    try {
      return recorded((await directory.get(request.tenant, use.executionId)).record, true);
    } catch (error) {
      if (!isBerthError(error, 'EXECUTION_NOT_FOUND')) throw error;
      throw new BerthError(
        'HISTORY_GONE',
        `execution ${use.executionId} of request_id ${request.requestId} ran before, and nothing more is kept of it`,
        { cause: error },
      );
    }
  }

  /** More ids were used in this life than are remembered: the store has the others. */
  async #lookUpFirst(request: ExecutionRequest): Promise<Submitted> {
    const { tenant, requestId } = request;
    const { store, of } = this.options;
    const earlier = await store.findByRequest(of, tenant, requestId);
    if (earlier === undefined) return this.#begin(request);
    return this.#repeatRecorded(request, earlier);
  }

  /** The record may be older than what is known of it here: it may be running. */
  #repeatRecorded(request: ExecutionRequest, { id, digest }: ExecutionRecord): Promise<Submitted> {
    const use: RequestUse = { method: 'execute', digest, executionId: id };
    this.#requests.set(request.tenant, request.requestId, use);
    return this.#repeat(request, use);
  }

  async #commitFirst(request: ExecutionRequest, key: string): Promise<Submitted> {
    const { store, of, recorder } = this.options;
    this.executions.admit();
    await recorder.ensureLostEnded();
    const execution = this.executions.make(request, this.#unsure.get(key));
    let record: ExecutionRecord;
    try {
      record = await store.claim(of, execution.record());
    } catch (error) {
      if (error instanceof BerthError && error.metadata['outcome'] === 'unknown')
        this.#unsure.set(key, execution.id);
      throw error;
    }
    this.#unsure.delete(key);
    if (record.id !== execution.id || record.digest !== request.digest)
      return this.#repeatRecorded(request, record);
    return this.#start(execution);
  }

  #begin(request: ExecutionRequest): Submitted {
    this.executions.admit();
    return this.#start(this.executions.make(request));
  }

  /** Remembered before it starts: a repeat in the same turn must find it. */
  #start(execution: LiveExecution): Submitted {
    const { tenant, requestId, digest } = execution.request;
    this.#requests.set(tenant, requestId, { method: 'execute', digest, executionId: execution.id });
    return this.executions.start(execution);
  }
}

function reused(requestId: string): BerthError {
  return new BerthError(
    'REQUEST_ID_REUSED',
    `request_id ${requestId} was used before for a different request; choose a new one`,
  );
}
