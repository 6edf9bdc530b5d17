import { Metadata, type Client, type ClientReadableStream, type MethodDefinition } from '@grpc/grpc-js';
import { cancelled, toRpcError } from './rpc-error.js';

export interface CallOptions {
  /** Cancels the call. */
  signal?: AbortSignal;
  /** Time for the whole call, in milliseconds; DEADLINE_EXCEEDED afterwards. Default: none. */
  timeoutMs?: number;
}

type Call<Method> = Method extends {
  requestSerialize: (value: infer Request) => Buffer;
  responseStream: infer Streams;
  responseDeserialize: (value: Buffer) => infer Response;
}
  ? Streams extends true
    ? (request?: Partial<Request>, options?: CallOptions) => AsyncGenerator<Response, void, undefined>
    : (request?: Partial<Request>, options?: CallOptions) => Promise<Response>
  : never;

/**
 * The unary methods of a service as promises and its server streams as async iterables. Fields of a request that are left
 * out take their defaults. Methods that stream requests are on the generated clients only.
 */
export type Calls<Service> = {
  readonly [Name in keyof Service as Service[Name] extends { requestStream: false } ? Name : never]: Call<
    Service[Name]
  >;
};

type AnyMethod = MethodDefinition<object, object>;

/** Binds every method of a generated service definition that does not stream requests. */
export function callsOf<Service extends object>(definition: Service, client: Client): Calls<Service> {
  const calls: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(definition as Record<string, AnyMethod>)) {
    if (method.requestStream) continue;
    // An empty message decodes to the message with all its defaults.
    const whole = (request: object = {}): object => ({
      ...method.requestDeserialize(Buffer.alloc(0)),
      ...request,
    });
    calls[name] = method.responseStream
      ? (request?: object, options?: CallOptions) => serverStream(client, method, whole(request), options)
      : (request?: object, options?: CallOptions) => unary(client, method, whole(request), options);
  }
  return calls as Calls<Service>;
}

function unary(
  client: Client,
  method: AnyMethod,
  request: object,
  { signal, timeoutMs }: CallOptions = {},
): Promise<object> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(signal));
    const cancel = (): void => call.cancel();
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      { deadline: deadlineOf(timeoutMs) },
      (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error !== null || response === undefined) reject(toRpcError(error, signal));
        else resolve(response);
      },
    );
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/**
 * Pulls only as fast as its reader: behind it are sixteen messages and HTTP/2's flow control. Leaving the loop cancels the
 * call.
 */
async function* serverStream(
  client: Client,
  method: AnyMethod,
  request: object,
  { signal, timeoutMs }: CallOptions = {},
): AsyncGenerator<object, void, undefined> {
  if (signal?.aborted) throw cancelled(signal);
  const stream: ClientReadableStream<object> = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    new Metadata(),
    { deadline: deadlineOf(timeoutMs) },
  );
  const cancel = (): void => stream.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  // A cancel after the last read ends in an 'error' that nobody else waits for.
  stream.on('error', () => {});
  try {
    for await (const message of stream) yield message as object;
  } catch (error) {
    throw toRpcError(error, signal);
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}

export function deadlineOf(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
}
