import { credentials } from '@grpc/grpc-js';
import { callsOf, type CallOptions, type Calls } from './calls.js';
import { Connection, type ConnectOptions } from './connection.js';
import {
  DeployEnvRequest,
  EnvServiceClient,
  EnvServiceService,
  StreamEnvLogsRequest,
  type App,
  type DeepPartial,
  type EnvEvent,
  type ExecEnvStart,
  type StreamEnvLogsResponse,
  type UploadAppHeader,
} from './gen/berth/v1/env_service.js';
import { PoolServiceClient, PoolServiceService } from './gen/berth/v1/pool_service.js';
import {
  ExecuteRequest,
  SandboxServiceClient,
  SandboxServiceService,
  type ExecuteEvent,
} from './gen/berth/v1/sandbox_service.js';
import { ExecStream } from './exec.js';
import { attached, executed } from './executions.js';
import { events, newRequestId, operationEvents } from './operations.js';
import { resumed, type ResumeOptions } from './resume.js';
import { uploadApp } from './upload.js';
import { collect, DEFAULT_MAX_COLLECTED_BYTES, type RunResult } from './run.js';

export interface RunOptions extends ResumeOptions {
  /** Bytes of output that are kept, both streams together. Default 16777216 (16 MiB). */
  maxCollectedBytes?: number;
}

/** Connects to berthd when it is first used. Close the client to let the program end. */
export function connect(options: ConnectOptions = {}): BerthClient {
  return new BerthClient(new Connection(options));
}

/**
 * A client of one berthd. Every call throws `BerthRpcError`. Streams are async iterables that keep the daemon's pace to
 * their reader's; leaving the loop, or aborting the signal, cancels the call.
 */
export class BerthClient {
  /** The generated clients, for methods that stream requests and for everything else that grpc-js can do. */
  readonly generated: {
    readonly env: EnvServiceClient;
    readonly sandbox: SandboxServiceClient;
    readonly pool: PoolServiceClient;
  };
  /** All of EnvService, as promises and async iterables. */
  readonly env: Calls<EnvServiceService>;
  /** All of SandboxService, as promises and async iterables. */
  readonly sandbox: Calls<SandboxServiceService>;
  /** All of PoolService, as promises and async iterables. */
  readonly pool: Calls<PoolServiceService>;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    const { address } = connection;
    const options = connection.clientOptions();
    // The shared channel has the credentials; these are not used.
    const unused = credentials.createInsecure();
    this.generated = {
      env: new EnvServiceClient(address, unused, options),
      sandbox: new SandboxServiceClient(address, unused, options),
      pool: new PoolServiceClient(address, unused, options),
    };
    this.env = callsOf(EnvServiceService, this.generated.env);
    this.sandbox = callsOf(SandboxServiceService, this.generated.sandbox);
    this.pool = callsOf(PoolServiceService, this.generated.pool);
    this.#connection = connection;
  }

  get address(): string {
    return this.#connection.address;
  }

  /** Runs code to its end and collects its output. How it ended is in the result: code that fails is no error. */
  run(request: DeepPartial<ExecuteRequest>, options: RunOptions = {}): Promise<RunResult> {
    return collect(this.execute(request, options), options.maxCollectedBytes ?? DEFAULT_MAX_COLLECTED_BYTES);
  }

  /**
   * Runs code and yields what happens as it happens; the last event is `ended`. With a request id, or with
   * `cancelOnDisconnect: false`, a lost connection is taken up again.
   */
  execute(
    request: DeepPartial<ExecuteRequest>,
    options?: ResumeOptions,
  ): AsyncGenerator<ExecuteEvent, void, undefined> {
    return executed(this.#connection, this.sandbox, ExecuteRequest.fromPartial(request), options);
  }

  /** The events of an execution behind `afterSeq`, running or ended a while ago; a lost connection is taken up again. */
  attach(
    request: { executionId: string; afterSeq?: number },
    options?: ResumeOptions,
  ): AsyncGenerator<ExecuteEvent, void, undefined> {
    return attached(this.#connection, this.sandbox, request, options);
  }

  /**
   * Deploys an app and yields what happens up to the terminal event (`succeeded`, `failed` or `cancelled`). A lost
   * connection is taken up again; leaving the loop leaves the deployment running.
   */
  deploy(
    request: DeepPartial<DeployEnvRequest>,
    options?: ResumeOptions,
  ): AsyncGenerator<EnvEvent, void, undefined> {
    const whole = DeployEnvRequest.fromPartial(request);
    whole.requestId ||= newRequestId();
    return operationEvents(
      this.#connection,
      this.env,
      (callOptions) => this.env.deployEnv(whole, callOptions),
      options,
    );
  }

  /**
   * Stores an app from an archive (tar, tar.gz or zip), whole or as it is made, and answers the stored app. An archive that
   * fails on the way is not stored.
   */
  uploadApp(
    header: DeepPartial<UploadAppHeader>,
    archive: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<App> {
    return uploadApp(this.generated.env, header, archive, options);
  }

  /** Stops the containers of an env and keeps its data; events as with `deploy`. */
  stop(envId: string, options?: ResumeOptions): AsyncGenerator<EnvEvent, void, undefined> {
    return this.#operate('stopEnv', envId, options);
  }

  /** Starts the containers of a stopped env; events as with `deploy`. */
  start(envId: string, options?: ResumeOptions): AsyncGenerator<EnvEvent, void, undefined> {
    return this.#operate('startEnv', envId, options);
  }

  /** Makes the containers of an env anew and drops its data; events as with `deploy`. */
  reset(envId: string, options?: ResumeOptions): AsyncGenerator<EnvEvent, void, undefined> {
    return this.#operate('resetEnv', envId, options);
  }

  /** Removes an env and all it holds; events as with `deploy`. */
  destroy(envId: string, options?: ResumeOptions): AsyncGenerator<EnvEvent, void, undefined> {
    return this.#operate('destroyEnv', envId, options);
  }

  /** The events of an env over its whole life. Does not end by itself; a lost connection is taken up again. */
  watchEnv(
    request: { envId: string; afterSeq?: number },
    options?: ResumeOptions,
  ): AsyncGenerator<EnvEvent, void, undefined> {
    return resumed<EnvEvent>(
      this.#connection,
      {
        open: (last, callOptions) =>
          events(
            this.env.watchEnv(
              { envId: request.envId, afterSeq: last?.seq ?? request.afterSeq ?? 0 },
              callOptions,
            ),
          ),
      },
      options,
    );
  }

  /**
   * What the services of an env wrote. With `follow` it goes on over restarts and replacements of the containers and ends
   * when the env is gone. A lost connection is taken up again, without a line lost or repeated.
   */
  envLogs(
    request: DeepPartial<StreamEnvLogsRequest>,
    options?: ResumeOptions,
  ): AsyncGenerator<StreamEnvLogsResponse, void, undefined> {
    const whole = StreamEnvLogsRequest.fromPartial(request);
    return resumed<StreamEnvLogsResponse>(
      this.#connection,
      {
        open: (last, callOptions) =>
          this.env.streamEnvLogs(
            last === undefined ? whole : { ...whole, after: last.cursor, tail: undefined, since: undefined },
            callOptions,
          ),
        // A daemon that gives no cursors cannot tell where to go on.
        isResumable: (last) => last?.cursor !== '',
      },
      options,
    );
  }

  /** Runs a command in an env, a shell where none is given, or attaches to its main process; see `ExecStream`. */
  exec(start: DeepPartial<ExecEnvStart>, options?: CallOptions): ExecStream {
    return new ExecStream(this.generated.env, start, options);
  }

  /** Cancels what is under way and closes the connection. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #operate(
    method: 'stopEnv' | 'startEnv' | 'resetEnv' | 'destroyEnv',
    envId: string,
    options?: ResumeOptions,
  ): AsyncGenerator<EnvEvent, void, undefined> {
    const request = { envId, requestId: newRequestId() };
    return operationEvents(
      this.#connection,
      this.env,
      (callOptions) => this.env[method](request, callOptions),
      options,
    );
  }
}
