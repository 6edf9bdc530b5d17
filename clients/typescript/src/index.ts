export { status } from '@grpc/grpc-js';
export { BerthClient, connect, type RunOptions } from './client.js';
export type { CallOptions, Calls } from './calls.js';
export { DEFAULT_ADDRESS, type ConnectOptions } from './connection.js';
export { ExecStream } from './exec.js';
export { operationEnd, type OperationEnd } from './operations.js';
export type { ResumeOptions } from './resume.js';
export { BerthRpcError, type Violation } from './rpc-error.js';
export type { RunResult } from './run.js';
export * from './gen/berth/v1/common.js';
export * from './gen/berth/v1/env_service.js';
export * from './gen/berth/v1/pool_service.js';
export * from './gen/berth/v1/sandbox_service.js';
// Each generated file has these; one of them stands for all.
export {
  protobufPackage,
  protobufFileName,
  type DeepPartial,
  type MessageFns,
} from './gen/berth/v1/common.js';
