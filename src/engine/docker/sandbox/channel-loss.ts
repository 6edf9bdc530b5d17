import type { ChannelLoss } from '../../../domain/sandbox/engine.js';
import type { DockerCalls } from '../docker-calls.js';
import { DockerError } from '../docker-error.js';
import type { DockerFailure } from '../worker/failure.js';

/** The stream ends before Docker has noted the end of the container: a moment before, on a busy host seconds. */
const EXIT_TIMEOUT_MS = 10_000;

/** Finds out why a runner channel ended: by what the worker saw, else by how the container is. Never rejects. */
export async function diagnoseLoss(
  calls: DockerCalls,
  containerId: string,
  failure: DockerFailure | undefined,
): Promise<ChannelLoss> {
  if (failure?.code === 'worker_died')
    return { cause: 'worker_died', message: failure.message, oomKilled: false };
  if (failure?.code === 'protocol')
    return { cause: 'protocol_error', message: failure.message, oomKilled: false };
  if (failure?.code === 'cancelled')
    return { cause: 'closed', message: 'the engine closed it', oomKilled: false };
  try {
    await calls.run(
      { op: 'waitContainer', id: containerId, condition: 'not-running' },
      { timeoutMs: EXIT_TIMEOUT_MS },
    );
    const { exitCode, oomKilled, error } = await calls.run({ op: 'inspectContainer', id: containerId });
    const why = oomKilled ? ', killed by its memory limit' : error === '' ? '' : `: ${error}`;
    return {
      cause: 'container_died',
      message: `the runner ended with exit code ${exitCode}${why}`,
      oomKilled,
    };
  } catch (cause) {
    return lossFromFailedDiagnosis(cause);
  }
}

function lossFromFailedDiagnosis(cause: unknown): ChannelLoss {
  const code = cause instanceof DockerError ? cause.failure.code : 'defect';
  switch (code) {
    case 'not_found':
      return { cause: 'container_died', message: 'the container was removed', oomKilled: false };
    case 'timeout':
      return {
        cause: 'docker_away',
        message: 'the connection to the runner was cut; its container lives on',
        oomKilled: false,
      };
    default:
      return { cause: 'docker_away', message: `the connection ended: ${String(cause)}`, oomKilled: false };
  }
}
