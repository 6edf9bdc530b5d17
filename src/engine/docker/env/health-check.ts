import { BerthError } from '../../../domain/errors.js';
import type { DockerCalls } from '../docker-calls.js';
import { type FailureContext, isFailure, translated } from '../docker-error.js';
import { SERVICE_LABEL } from './compose-labels.js';
import { projectDetails } from './project-details.js';

/** As `EnvEngine.checkHealth`. */
export async function checkHealth(
  options: { calls: DockerCalls; owner: string },
  projectName: string,
  service: string,
  signal: AbortSignal | undefined,
): Promise<{ healthy: boolean; output: string }> {
  const context: FailureContext = {
    doing: `checking the health of ${service} of ${projectName}`,
    refused: 'DOCKER_ERROR',
    missing: 'ENV_CONTAINER_MISSING',
    signal,
  };
  return translated(context, async () => {
    const container = (await projectDetails(options, projectName, signal)).find(
      ({ labels }) => labels[SERVICE_LABEL] === service,
    );
    if (!container) {
      throw new BerthError('ENV_CONTAINER_MISSING', `${projectName} has no container of ${service}`);
    }
    if (container.state !== 'running') return { healthy: false, output: `it is ${container.state}` };
    const [kind, ...rest] = container.healthTest;
    if (kind === undefined) return { healthy: true, output: '' };
    const command = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...rest] : rest;
    try {
      const { exitCode, stdout, stderr } = await options.calls.run(
        { op: 'runInContainer', id: container.id, command, env: [] },
        { signal },
      );
      const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? '';
      return { healthy: exitCode === 0, output: said };
    } catch (error) {
      // It has ended since, or is being started anew.
      if (isFailure(error, 'conflict')) return { healthy: false, output: 'it does not run' };
      throw error;
    }
  });
}
