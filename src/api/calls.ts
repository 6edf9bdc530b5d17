import { setImmediate as turn } from 'node:timers/promises';
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { BerthError, invalid } from '../domain/errors.js';
import { callerIdViolation } from '../domain/ids.js';
import type { Logger } from '../telemetry/logger.js';
import { toServiceError } from './errors.js';
import { requestsOf } from './request-stream.js';

/** What a handler knows of its call beside the message. */
export interface CallContext {
  /** Whom the call acts for: metadata `berth-tenant`, `default` where absent. */
  tenant: string;
  /** Aborted when the client cancels, goes away, or its deadline passes. */
  signal: AbortSignal;
  /** Whether the deadline of the call is over (or so near that the client's own clock called it). */
  isPastDeadline(): boolean;
}

/** A client cancels at its deadline, which is a little before ours: it began to count before the request arrived. */
const DEADLINE_SLACK_MS = 100;

type UnaryHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => Promise<Response> | Response;
/** What a stream of answers is written to. */
type Answers<Response> = ServerWritableStream<unknown, Response> | ServerDuplexStream<unknown, Response>;
type ClientStreamHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
) => Promise<Response>;
type StreamHandler<Request, Response> = (request: Request, context: CallContext) => AsyncIterable<Response>;

/** Adapts a function to a unary method: context in, errors out as `google.rpc.Status`. */
export function unary<Request, Response>(
  logger: Logger,
  handler: UnaryHandler<Request, Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    void (async () => {
      try {
        callback(null, await handler(call.request, contextOf(call)));
      } catch (error) {
        callback(toServiceError(error, logger));
      }
    })();
  };
}

/**
 * Adapts a function that reads a client's stream. The stream is read only as fast as the function pulls. It ends where the
 * client said so, and throws where the client cancelled or went away; the signal is aborted then, too.
 */
export function clientStream<Request, Response>(
  logger: Logger,
  handler: ClientStreamHandler<Request, Response>,
): handleClientStreamingCall<Request, Response> {
  return (call, callback) => {
    void (async () => {
      try {
        const context = contextOf(call);
        callback(null, await handler(messagesOf(call, context.signal), context));
      } catch (error) {
        callback(toServiceError(error, logger));
      }
    })();
  };
}

async function* messagesOf<Request>(
  call: AsyncIterable<Request>,
  signal: AbortSignal,
): AsyncGenerator<Request> {
  const messages = call[Symbol.asyncIterator]();
  for (;;) {
    const next = await messages.next();
    if (next.done === true) break;
    yield next.value;
  }
  // grpc-js ends the messages of a cancelled call like those of a whole one, and tells of the cancel a turn later.
  await turn();
  await turn();
  signal.throwIfAborted();
}

/**
 * Adapts an async iterable to a server stream. The iterable is pulled only as fast as the client reads; when the client goes
 * away its signal is aborted and it is returned. It ends the stream by returning, and fails it by throwing.
 */
export function serverStream<Request, Response>(
  logger: Logger,
  handler: StreamHandler<Request, Response>,
): handleServerStreamingCall<Request, Response> {
  return (call) => void pump(call, (context) => handler(call.request, context), logger);
}

/** The same with a stream of requests, which are pulled from the client only as fast as the handler takes them. */
export function bidiStream<Request, Response>(
  logger: Logger,
  handler: StreamHandler<AsyncIterator<Request>, Response>,
): handleBidiStreamingCall<Request, Response> {
  return (call) => void pump(call, (context) => handler(requestsOf(call), context), logger);
}

async function pump<Response>(
  call: Answers<Response>,
  handler: (context: CallContext) => AsyncIterable<Response>,
  logger: Logger,
): Promise<void> {
  try {
    for await (const response of handler(contextOf(call))) {
      if (call.cancelled) return;
      if (!call.write(response)) await drained(call);
    }
    call.end();
  } catch (error) {
    if (!call.cancelled) call.emit('error', toServiceError(error, logger));
  }
}

/** Resolves when the stream takes more or will never do so again: a cancelled call of grpc-js never drains. */
function drained(call: Answers<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      call.off('cancelled', done);
      call.off('close', done);
      resolve();
    };
    call.on('drain', done);
    call.on('cancelled', done);
    call.on('close', done);
    if (call.cancelled) done();
  });
}

/** What every kind of call has. */
type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'cancelled' | 'metadata' | 'getDeadline'> & {
  on(event: 'cancelled', listener: () => void): unknown;
};

function contextOf(call: AnyCall): CallContext {
  const abort = new AbortController();
  const cancel = (): void =>
    abort.abort(new BerthError('CANCELLED', 'the client cancelled, went away, or its deadline passed'));
  call.on('cancelled', cancel);
  if (call.cancelled) cancel();
  return {
    tenant: tenantOf(call.metadata),
    signal: abort.signal,
    isPastDeadline: () => Number(call.getDeadline()) - Date.now() <= DEADLINE_SLACK_MS,
  };
}

function tenantOf(metadata: Metadata): string {
  const [value] = metadata.get('berth-tenant');
  if (value === undefined) return 'default';
  const tenant = String(value);
  const violation = callerIdViolation('berth-tenant (metadata)', tenant);
  if (violation !== undefined) throw invalid(violation);
  return tenant;
}

/** A service as the server takes it. */
export type Service = [
  definition: ServiceDefinition<UntypedServiceImplementation>,
  implementation: UntypedServiceImplementation,
];

/** A whole service from the methods that exist; every other method of the contract answers NOT_BUILT. */
export function service<Implementation extends UntypedServiceImplementation>(
  definition: ServiceDefinition<Implementation>,
  built: Partial<Implementation>,
  logger: Logger,
): Service {
  const implementation: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    const handler = built[name] as UntypedHandleCall | undefined;
    implementation[name] = handler ?? notBuilt(method.path, method.responseStream, logger);
  }
  return [definition, implementation];
}

function notBuilt(path: string, streams: boolean, logger: Logger): UntypedHandleCall {
  const error = (): BerthError =>
    new BerthError(
      'NOT_BUILT',
      `${path} is part of the contract but not built yet; the README's status table says what is`,
      {
        metadata: { method: path },
      },
    );
  if (!streams)
    return (_call: unknown, callback: (e: object) => void) => callback(toServiceError(error(), logger));
  return (call: ServerWritableStream<unknown, unknown>) =>
    void call.emit('error', toServiceError(error(), logger));
}
