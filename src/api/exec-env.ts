import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import { OutputStream } from '../../clients/typescript/src/gen/berth/v1/common.js';
import type {
  ExecEnvEvent,
  ExecEnvRequest,
  ExecEnvResponse,
  ExecEnvStart,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import { invalid } from '../domain/errors.js';
import type { EnvSessions } from '../domain/env/exec/env-sessions.js';
import type { ExecStart } from '../domain/env/exec/request.js';
import type { ExecInput, ExecSession } from '../domain/env/exec/session.js';
import type { Logger } from '../telemetry/logger.js';
import { bidiStream, type CallContext } from './calls.js';

/** The contract's limit of an output chunk. */
const MAX_CHUNK_BYTES = 256 * 1024;

/** ExecEnv over the sessions of envs. */
export function execEnv(
  sessions: EnvSessions,
  logger: Logger,
): handleBidiStreamingCall<ExecEnvRequest, ExecEnvResponse> {
  return bidiStream(logger, async function* (requests: AsyncIterator<ExecEnvRequest>, context) {
    const start = await startOf(requests, context);
    const session = await sessions.open(start, context.signal);
    try {
      void feed(session, requests).catch((error: unknown) => session.fail(error));
      yield* events(session);
    } finally {
      await session.close();
    }
  });
}

async function* events(session: ExecSession): AsyncGenerator<ExecEnvResponse> {
  let seq = 0;
  const response = (event: ExecEnvEvent['event']): ExecEnvResponse => ({
    event: { seq: ++seq, time: new Date(), event },
  });
  const { containerId, service, argv } = session;
  yield response({ $case: 'started', value: { containerId, service, argv: [...argv] } });
  const output = session.output();
  for (;;) {
    const { done, value } = await output.next();
    if (done === true) {
      yield response({ $case: 'ended', value });
      return;
    }
    const stream = value.stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
    for (let at = 0; at < value.data.length; at += MAX_CHUNK_BYTES) {
      const data = Buffer.from(value.data.subarray(at, at + MAX_CHUNK_BYTES));
      yield response({ $case: 'output', value: { stream, data } });
    }
  }
}

/** Hands on what the client sends, each when the one before has been taken. */
async function feed(session: ExecSession, requests: AsyncIterator<ExecEnvRequest>): Promise<void> {
  for (;;) {
    const next = await requests.next();
    if (next.done === true) return await session.inputOver();
    const input = toInput(next.value);
    if (input !== undefined) await session.input(input);
  }
}

async function startOf(requests: AsyncIterator<ExecEnvRequest>, { tenant }: CallContext): Promise<ExecStart> {
  const first = await requests.next();
  const request = first.done === true ? undefined : first.value.request;
  if (request?.$case !== 'start')
    throw invalid({ field: 'start', rule: 'must be the first message of the call' });
  return toStart(request.value, tenant);
}

function toStart(start: ExecEnvStart, tenant: string): ExecStart {
  const { requestId, envId, service, argv, attach, env, cwd, user, terminal } = start;
  const shown = terminal && {
    columns: terminal.size?.columns ?? 0,
    rows: terminal.size?.rows ?? 0,
    term: terminal.term,
  };
  return { tenant, requestId, envId, service, argv, attach, terminal: shown, env, cwd, user };
}

/** Undefined: a message without content, which changes nothing. */
function toInput({ request }: ExecEnvRequest): ExecInput | undefined {
  switch (request?.$case) {
    case 'start':
      throw invalid({ field: 'start', rule: 'must be the first message, and only that' });
    case 'stdin':
      return { kind: 'stdin', data: request.value };
    case 'stdinClosed':
      return { kind: 'stdin_closed' };
    case 'resize':
      return { kind: 'resize', size: request.value };
    case 'signal':
      return { kind: 'signal', name: request.value };
    case undefined:
      return undefined;
  }
}
