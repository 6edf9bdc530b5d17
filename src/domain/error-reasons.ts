/** The gRPC status names that Berth answers with; `api/` maps them to numbers. */
export type StatusName =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'RESOURCE_EXHAUSTED'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'INTERNAL';

/**
 * Every reason an error of Berth can carry (`google.rpc.ErrorInfo.reason`, domain "berth"): its gRPC
 * status and what it means to a caller. This list is closed and is the only one; a reason is never
 * renamed once it was released.
 */
export const ERROR_REASONS = {
  // The request
  INVALID_ARGUMENT: ['INVALID_ARGUMENT', 'A field breaks a rule; BadRequest names each field and rule.'],
  NOT_BUILT: ['UNIMPLEMENTED', 'The method is part of the contract but this version does not have it yet.'],
  REQUEST_ID_REUSED: ['ALREADY_EXISTS', 'The request_id was used before for a different request.'],
  PAGE_TOKEN_INVALID: ['INVALID_ARGUMENT', 'The page_token was not made by this method.'],
  HISTORY_GONE: [
    'OUT_OF_RANGE',
    'The events after after_seq are no longer kept; start again from the present.',
  ],

  // Things that are not there
  ENV_NOT_FOUND: ['NOT_FOUND', 'No env with this id belongs to the tenant.'],
  APP_NOT_FOUND: [
    'NOT_FOUND',
    'No app folder with this id under the apps path, and the request has no files.',
  ],
  EXECUTION_NOT_FOUND: ['NOT_FOUND', 'No execution with this id belongs to the tenant.'],
  POOL_NOT_FOUND: ['NOT_FOUND', 'No pool with this id.'],
  IMAGE_NOT_FOUND: ['FAILED_PRECONDITION', 'The image is not on this host; prepare or pull it first.'],
  IMAGE_PREPARE_FAILED: ['FAILED_PRECONDITION', 'An image could be neither pulled nor built.'],

  // Apps and their metadata
  APP_INVALID: [
    'INVALID_ARGUMENT',
    'metadata.json is missing, is not JSON, or has a key that breaks a rule.',
  ],
  APP_QUOTA: [
    'RESOURCE_EXHAUSTED',
    "The tenant's uploads would be more, or larger, than they may be together; QuotaFailure names each limit.",
  ],
  APP_IN_USE: ['FAILED_PRECONDITION', 'Envs run the app, so it cannot be deleted; the message names them.'],
  APP_OF_OPERATOR: [
    'FAILED_PRECONDITION',
    "The app is one of the operator's, which the API does not change.",
  ],
  APP_EXISTS: ['ALREADY_EXISTS', 'An app with this id is there already, and the upload does not replace it.'],
  ARCHIVE_INVALID: [
    'INVALID_ARGUMENT',
    'The archive is broken, or an entry of it breaks a rule; BadRequest names entry and rule.',
  ],
  APPS_FOLDER: ['FAILED_PRECONDITION', 'The folder of the apps cannot be read or written.'],
  UPLOAD_STALLED: ['ABORTED', 'The upload sent nothing, or took, for too long; nothing of it was kept.'],
  RUNTIME_UNKNOWN: ['INVALID_ARGUMENT', 'No runtime of this name is registered.'],
  LANGUAGE_UNKNOWN: ['INVALID_ARGUMENT', 'No language (or version of it) of this name is configured.'],
  COMPOSE_INVALID: [
    'INVALID_ARGUMENT',
    'The rendered compose file has a key or value outside the subset Berth applies.',
  ],

  // Env operations
  ENV_STATE: ['FAILED_PRECONDITION', 'The operation is not legal in the present state of the env.'],
  ENV_CONTAINER_MISSING: [
    'FAILED_PRECONDITION',
    'The containers of the env are gone; reset or deploy it anew.',
  ],
  OPERATION_ABORTED: ['ABORTED', 'The operation was ended by another one, or by the daemon stopping.'],
  CONTAINER_START_FAILED: [
    'FAILED_PRECONDITION',
    'Docker refused to create or start a container of the env.',
  ],
  CONTAINER_STOP_FAILED: ['FAILED_PRECONDITION', 'A container of the env could not be stopped or removed.'],
  EXEC_SIGNAL: [
    'FAILED_PRECONDITION',
    'berthd cannot signal a command in an env: Docker is on another host, or berthd may not.',
  ],
  APP_EXITED: ['FAILED_PRECONDITION', 'The app ended before it was ready.'],
  APP_NOT_READY: ['DEADLINE_EXCEEDED', 'The app did not answer in time.'],
  ENV_DIRECTORY: ['FAILED_PRECONDITION', 'The directory of the env cannot be made, written or removed.'],
  PORT_NONE_FREE: ['RESOURCE_EXHAUSTED', 'No free host port is left in the configured range.'],
  PORT_TAKEN: ['ABORTED', 'Another process took the host port between claim and start.'],
  SUBNET_NONE_FREE: ['RESOURCE_EXHAUSTED', 'No free subnet is left in the configured range.'],
  ENV_CAPACITY: [
    'RESOURCE_EXHAUSTED',
    'The host lacks something that the deployment needs; QuotaFailure names each.',
  ],
  QUEUE_FULL: ['RESOURCE_EXHAUSTED', 'As many deployments wait as may wait.'],
  QUEUE_TIMEOUT: ['RESOURCE_EXHAUSTED', 'The deployment waited for a place for as long as it may.'],
  DATABASE_INIT_FAILED: [
    'FAILED_PRECONDITION',
    "The app's database cannot be made or its SQL not loaded; metadata has MySQL's error code and the line.",
  ],
  DATABASE_UNAVAILABLE: ['UNAVAILABLE', 'The database server of envs does not answer.'],
  DATABASE_CREATION_OFF: [
    'FAILED_PRECONDITION',
    'There is no shared database, and the settings do not let Berth make one.',
  ],
  UNDO_INCOMPLETE: [
    'INTERNAL',
    'The step failed and not everything could be undone; the reconciler retries.',
  ],

  // Sandboxes and pools
  POOL_EXHAUSTED: ['RESOURCE_EXHAUSTED', 'The pool is at its maximum and no sandbox became free in time.'],
  POOL_DRAINING: [
    'UNAVAILABLE',
    'The pool has been drained and gives no sandboxes; WarmPool brings it back.',
  ],
  POOL_DISABLED: ['FAILED_PRECONDITION', 'Pools are switched off on this daemon (pool.pooling).'],
  HOST_BUDGET: [
    'RESOURCE_EXHAUSTED',
    'What Berth may promise to sandboxes on this host is used up, or less than asked for.',
  ],
  SANDBOX_NOT_FOUND: ['NOT_FOUND', 'No sandbox with this id.'],
  SANDBOX_CREATE_FAILED: ['UNAVAILABLE', 'No sandbox could be created; the message has the cause.'],
  SANDBOX_LOST: ['UNAVAILABLE', 'The sandbox died while it was being used.'],
  EXECUTION_ELSEWHERE: [
    'FAILED_PRECONDITION',
    'Another daemon on the same database runs the execution; ask that one.',
  ],
  ISOLATION_UNAVAILABLE: ['FAILED_PRECONDITION', 'This host cannot give the isolation asked for.'],

  // The daemon and what it stands on
  DOCKER_UNAVAILABLE: ['UNAVAILABLE', 'Docker does not answer; start it, berthd recovers by itself.'],
  STORE_UNAVAILABLE: ['UNAVAILABLE', 'The database does not answer; berthd recovers by itself.'],
  SHUTTING_DOWN: ['UNAVAILABLE', 'berthd is stopping and takes no new work.'],
  OVERLOADED: ['RESOURCE_EXHAUSTED', 'Too many streams or calls are open; retry after the given delay.'],
  CANCELLED: ['CANCELLED', 'The caller cancelled.'],
  DOCKER_ERROR: [
    'INTERNAL',
    "Docker answered with an error that Berth has no better word for; the message is Docker's.",
  ],
  INTERNAL: ['INTERNAL', 'A defect of Berth; the log has the details under the same id.'],
} as const satisfies Record<string, readonly [StatusName, string]>;

export type ErrorReason = keyof typeof ERROR_REASONS;

/** The gRPC status that goes with a reason. */
export function statusOf(reason: ErrorReason): StatusName {
  return ERROR_REASONS[reason][0];
}
