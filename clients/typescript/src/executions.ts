import { status } from '@grpc/grpc-js';
import type { Calls } from './calls.js';
import type { Connection } from './connection.js';
import type { ExecuteEvent, ExecuteRequest, SandboxServiceService } from './gen/berth/v1/sandbox_service.js';
import { events } from './operations.js';
import { resumed, type ResumeOptions } from './resume.js';
import { BerthRpcError } from './rpc-error.js';
import { executionEvents } from './run.js';

/**
 * The events of an execution up to `ended`. One that has a request id, or runs on without its client, is taken up again with
 * AttachExecution after a lost connection. The request itself is sent again only when it is durable: without that a daemon
 * that was restarted meanwhile would run it a second time.
 */
export function executed(
  connection: Connection,
  sandbox: Calls<SandboxServiceService>,
  request: ExecuteRequest,
  options?: ResumeOptions,
): AsyncGenerator<ExecuteEvent, void, undefined> {
  const outlivesItsCall = request.requestId !== '' || request.cancelOnDisconnect === false;
  if (!outlivesItsCall) return executionEvents(sandbox.execute(request, options));
  let executionId: string | undefined;
  return resumed<ExecuteEvent>(
    connection,
    {
      async *open(last, callOptions) {
        const afterSeq = last?.seq ?? 0;
        const stream =
          executionId === undefined
            ? sandbox.execute(request, callOptions)
            : sandbox.attachExecution({ executionId, afterSeq }, callOptions);
        for await (const event of events(stream)) {
          if (event.event?.$case === 'started') executionId = event.event.value.executionId;
          if (event.seq > afterSeq) yield event;
        }
      },
      isLast,
      isResumable: () => executionId !== undefined || request.durable,
    },
    options,
  );
}

/** The events of an execution behind `afterSeq`, up to `ended`; taken up again after a lost connection. */
export function attached(
  connection: Connection,
  sandbox: Calls<SandboxServiceService>,
  { executionId, afterSeq = 0 }: { executionId: string; afterSeq?: number },
  options?: ResumeOptions,
): AsyncGenerator<ExecuteEvent, void, undefined> {
  return resumed<ExecuteEvent>(
    connection,
    {
      open: (last, callOptions) =>
        untilEnd(sandbox.attachExecution({ executionId, afterSeq: last?.seq ?? afterSeq }, callOptions)),
    },
    options,
  );
}

/** The daemon also ends the stream of an execution that has ended when nothing is left to send. */
async function* untilEnd(
  responses: AsyncIterable<{ event?: ExecuteEvent | undefined }>,
): AsyncGenerator<ExecuteEvent, void, undefined> {
  let isComplete = true;
  for await (const event of events(responses)) {
    isComplete = isLast(event);
    yield event;
  }
  if (!isComplete) throw new BerthRpcError(status.UNAVAILABLE, 'the stream ended without its terminal event');
}

function isLast({ event }: ExecuteEvent): boolean {
  return event?.$case === 'ended';
}
