import type { UndoneThing } from '../env/model.js';

/** How the container of the shared server is made. Sizes in bytes. */
export interface DatabaseServerSpec {
  image: string;
  /** Known to the container alone: statements of its administrator run inside of it. */
  rootPassword: string;
  memoryBytes: number;
  cpuMillis: number;
  /** Connections of all envs together. */
  maxConnections: number;
  /** Port on 127.0.0.1 for tools with the user of an env; 0: none. */
  publishPort: number;
  /** CIDR of the network that it is in while no env uses it. */
  subnet: string;
}

/** The container of the shared server as it is. */
export interface DatabaseServer {
  containerId: string;
  containerName: string;
  image: string;
  running: boolean;
  /** By its own health check, which counts for people and restarts only. */
  unhealthy: boolean;
  /** Milliseconds since the epoch; another one means that it was started anew. */
  startedAt: number;
  createdAt: number;
}

/** Whose rights statements have: the server's administrator, or a user on one schema. */
export type SqlSession = 'administrator' | { user: string; password: string; schema: string };

/** What a run of statements came to. */
export interface SqlOutcome {
  /** 0: all statements were carried out. */
  exitCode: number;
  /** Rows, one a line, columns separated by tabs, nothing escaped. */
  rows: string;
  /** What the client complained of. */
  errors: string;
}

/**
 * The container of the shared database server, its data and its networks; found by their labels, so that whoever made
 * them before a crash does not matter. Every method may be repeated.
 * All throw DOCKER_UNAVAILABLE when Docker does not answer, and CANCELLED when the signal is aborted.
 */
export interface DatabaseServerEngine {
  inspect(signal?: AbortSignal): Promise<DatabaseServer | undefined>;
  /** Whether there is data of a server, running or not. */
  hasData(signal?: AbortSignal): Promise<boolean>;
  /** Makes what is missing of volume, network and container, and starts it. Data that is there is taken over. */
  start(spec: DatabaseServerSpec, signal?: AbortSignal): Promise<DatabaseServer>;
  /** Ends it, to be started again. */
  stop(signal?: AbortSignal): Promise<void>;
  /**
   * Runs statements in the server's container, over TCP. Statements may change the delimiter; commands of the client that
   * reach files or programs have no effect.
   * @throws DATABASE_UNAVAILABLE when the container does not run
   */
  runSql(
    sql: Uint8Array,
    session: SqlSession,
    options: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<SqlOutcome>;
  /** The last lines of its log, for an error. */
  logTail(signal?: AbortSignal): Promise<string>;
  /** Makes a network between the server and one env, and joins it. Returns its name. @throws SUBNET_NONE_FREE */
  join(envId: string, subnet: string, signal?: AbortSignal): Promise<string>;
  /** Removes that network. */
  leave(envId: string, signal?: AbortSignal): Promise<UndoneThing[]>;
  /** Ids of the envs that have such a network. */
  joinedEnvs(signal?: AbortSignal): Promise<string[]>;
  /** Joins the networks of all envs again, after the container was made anew. */
  rejoin(signal?: AbortSignal): Promise<void>;
}

/** What envs and people call the server. */
export const SERVER_HOST = 'shared-mysql';
export const SERVER_PORT = 3306;
