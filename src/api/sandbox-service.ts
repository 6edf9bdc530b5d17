import {
  SandboxServiceService,
  type AttachExecutionRequest,
  type AttachExecutionResponse,
  type ExecuteRequest,
  type ExecuteResponse,
  type SandboxServiceServer,
} from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import type { ExecutionDirectory } from '../domain/sandbox/execution-directory.js';
import type { Executor } from '../domain/sandbox/executor.js';
import type { Logger } from '../telemetry/logger.js';
import { service, serverStream, unary, type CallContext, type Service } from './calls.js';
import { toPageSize } from './conventions.js';
import { toExecuteEvent } from './execute-events.js';
import { toExecutionRequest, type ExecuteDefaults } from './execute-request.js';
import { toExecution } from './execution-messages.js';
import { checkAttach, checkExecutionId, toCancel, toExecutionFilter } from './execution-requests.js';

/** SandboxService over the executor. */
export function sandboxService(
  executor: Executor,
  executions: ExecutionDirectory,
  defaults: ExecuteDefaults,
  logger: Logger,
): Service {
  async function* execute(
    message: ExecuteRequest,
    { tenant, signal, isPastDeadline }: CallContext,
  ): AsyncGenerator<ExecuteResponse> {
    const request = toExecutionRequest(message, tenant, defaults);
    const { executionId, replayed, execution, read } = await executor.execute(request);
    const cancel = (): void => execution?.cancel(isPastDeadline() ? 'deadline' : 'disconnected');
    if (request.cancelOnDisconnect && !replayed) {
      signal.addEventListener('abort', cancel, { once: true });
      if (signal.aborted) cancel();
    }
    for await (const event of read(0, signal)) yield { event: toExecuteEvent(event, executionId, replayed) };
  }

  async function* attach(
    message: AttachExecutionRequest,
    { tenant, signal }: CallContext,
  ): AsyncGenerator<AttachExecutionResponse> {
    checkAttach(message);
    const { executionId, read } = await executor.attach(tenant, message.executionId);
    for await (const event of read(message.afterSeq, signal))
      yield { event: toExecuteEvent(event, executionId, false) };
  }

  return service<SandboxServiceServer>(
    SandboxServiceService,
    {
      execute: serverStream(logger, execute),
      attachExecution: serverStream(logger, attach),
      cancelExecution: unary(logger, async (message, { tenant, signal }) => {
        const { executionId, graceMs } = message;
        await executor.cancel(tenant, executionId, graceMs, toCancel(message), signal);
        return { execution: toExecution(await executions.get(tenant, executionId)) };
      }),
      getExecution: unary(logger, async (message, { tenant }) => {
        checkExecutionId(message);
        return { execution: toExecution(await executions.get(tenant, message.executionId)) };
      }),
      listExecutions: unary(logger, async (message, { tenant }) => {
        const filter = toExecutionFilter(message, tenant);
        const page = await executions.list(filter, toPageSize(message.pageSize), message.pageToken);
        return { executions: page.items.map(toExecution), nextPageToken: page.nextPageToken };
      }),
    },
    logger,
  );
}
