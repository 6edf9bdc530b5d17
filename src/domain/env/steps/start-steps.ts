import { BerthError } from '../../errors.js';
import { readinessOf } from '../compose/readiness-label.js';
import type { ComposeService } from '../compose/model.js';
import type { ProjectContainer } from '../engine.js';
import { loadProject } from './compose-file.js';
import type { StepContext, StepDeps, StepResult } from './context.js';
import { tendDatabases, untilServiceHealthy } from './database-steps.js';
import { ProjectWatch } from './project-watch.js';
import { waitReady } from './readiness.js';

/** Starts the services in the order of their dependencies, with the watch open from before the first. */
export async function startContainers(
  deps: StepDeps,
  context: StepContext,
  signal: AbortSignal,
): Promise<StepResult> {
  const { engine } = deps;
  const project = await loadProject(context);
  await tendDatabases(deps, project, signal);
  const { wait } = readinessOf(project);
  context.watch?.close();
  context.watch = await ProjectWatch.open(engine, project.name, { cleanExitIsFine: wait === 'started' });
  const started: string[] = [];
  for (const service of project.services) {
    for (const dependency of service.dependsOn) {
      if (dependency.condition !== 'service_healthy') continue;
      await untilServiceHealthy(deps, context, context.watch, project, dependency.service, signal);
    }
    await engine.startService(project.name, service.name, signal);
    started.push(service.name);
  }
  return { detail: started.join(', ') };
}

export async function waitUntilReady(
  { config }: StepDeps,
  context: StepContext,
  signal: AbortSignal,
): Promise<StepResult> {
  const { env, watch } = context;
  if (!watch) throw new Error('wait_ready comes after start_containers');
  const project = await loadProject(context);
  const target = { host: reachable(config.bindHost), port: env.port ?? 0 };
  const readiness = readinessOf(project);
  const timeoutMs = context.readyTimeoutMs ?? readiness.timeoutMs;
  return { detail: await waitReady({ ...readiness, timeoutMs }, target, watch, signal) };
}

/** Looks once more that every container is there and runs; a CLI may have come to its end. */
export async function verify(
  { engine }: StepDeps,
  context: StepContext,
  signal: AbortSignal,
): Promise<StepResult> {
  const project = await loadProject(context);
  const mayEnd = readinessOf(project).wait === 'started';
  const containers = await engine.inspect(project.name, signal);
  for (const service of project.services) checkContainer(service, containers, mayEnd);
  context.watch?.failure.throwIfAborted();
  return { detail: containers.map((container) => `${container.name} is ${container.state}`).join(', ') };
}

function checkContainer(service: ComposeService, containers: ProjectContainer[], mayEnd: boolean): void {
  const container = containers.find((one) => one.service === service.name);
  if (!container) {
    const message = `container ${service.containerName} is gone: somebody removed it`;
    throw new BerthError('ENV_CONTAINER_MISSING', message, {
      resource: { type: 'container', name: service.containerName },
    });
  }
  if (container.state === 'running' || (mayEnd && container.state === 'exited' && container.exitCode === 0))
    return;
  const how = container.oomKilled ? 'killed at its memory limit' : `exit code ${container.exitCode}`;
  throw new BerthError('APP_EXITED', `container ${container.name} is ${container.state} (${how})`, {
    metadata: { service: service.name, exit_code: String(container.exitCode) },
  });
}

/** The address to probe what is published on `bindHost`. */
function reachable(bindHost: string): string {
  if (bindHost === '0.0.0.0') return '127.0.0.1';
  return bindHost === '::' ? '::1' : bindHost;
}
