import type { IncomingMessage } from 'node:http';
import { workerData } from 'node:worker_threads';
import type Docker from 'dockerode';
import type { CallAnswer, CallResults, CallTask, DockerCall } from './call-messages.js';
import { DockerClients, type DockerWorkerData } from './docker-client.js';
import { CallCancelled, CallTimeout, failureFrom } from './failure.js';
import { runInContainer } from './run-in-container.js';
import { containerShape, imageShape, networkShape, statsShape, summaryShape, volumeShape } from './shapes.js';

const clients = new DockerClients((workerData as DockerWorkerData).dockerHost);

/** A task of the pool "calls": one request to Docker. Never throws; what went wrong is in the answer. */
export default async function runCall(task: CallTask): Promise<CallAnswer> {
  const { requestId } = task;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new CallTimeout(task.timeoutMs)), task.timeoutMs);
  task.cancelPort?.once('message', () => abort.abort(new CallCancelled()));
  try {
    const value = await Promise.race([
      perform(clients.at(task.apiVersion), task.call, abort.signal),
      rejection(abort.signal),
    ]);
    return { requestId, ok: true, value };
  } catch (error) {
    return { requestId, ok: false, failure: failureFrom(abort.signal.aborted ? abort.signal.reason : error) };
  } finally {
    clearTimeout(timer);
    task.cancelPort?.close();
  }
}

/** docker-modem never settles when a response is cut off after its headers; the time limit must end the call alone. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function perform(
  docker: Docker,
  call: DockerCall,
  abortSignal: AbortSignal,
): Promise<CallResults[DockerCall['op']]> {
  // Where dockerode takes the signal and its types do not know.
  const abortable: object = { abortSignal };
  switch (call.op) {
    case 'version':
      return version(docker, abortSignal);
    case 'info':
      return runtimes(docker, abortSignal);
    case 'inspectImage':
      return imageShape(await docker.getImage(call.image).inspect(abortable));
    case 'createContainer':
      return { id: (await docker.createContainer({ ...call.body, name: call.name, abortSignal })).id };
    case 'startContainer':
      return nothing(unlessAlready(304, docker.getContainer(call.id).start({ abortSignal })));
    case 'stopContainer':
      // Without `t`: the grace is the container's own StopTimeout.
      return nothing(unlessAlready(304, docker.getContainer(call.id).stop({ abortSignal })));
    case 'removeContainer':
      return nothing(docker.getContainer(call.id).remove({ force: true, v: true, abortSignal }));
    case 'waitContainer':
      return {
        exitCode: (await docker.getContainer(call.id).wait({ condition: call.condition, abortSignal }))
          .StatusCode,
      };
    case 'inspectContainer':
      return containerShape(await docker.getContainer(call.id).inspect({ abortSignal }));
    case 'containerHasFile':
      return { has: await hasFile(docker.getContainer(call.id), call.path, abortSignal) };
    case 'containerStats':
      return statsShape(
        // Types: dockerode's have no signal here, though it hands it through.
        await docker.getContainer(call.id).stats({ stream: false, ...abortable } as { stream: false }),
      );
    case 'containerSize': {
      const options = { size: true, abortSignal };
      const details: object = await docker.getContainer(call.id).inspect(options);
      return { writtenBytes: (details as { SizeRw?: number }).SizeRw ?? 0 };
    }
    case 'listContainers': {
      const filters = { label: call.labels };
      return (await docker.listContainers({ all: true, filters, abortSignal })).map(summaryShape);
    }
    case 'runInContainer':
      return runInContainer(docker, call, abortSignal);
    case 'resizeContainer':
      return nothing(
        docker
          .getContainer(call.id)
          .resize({ w: call.columns, h: call.rows, ...abortable }) as Promise<unknown>,
      );
    case 'createExec':
      return { id: (await docker.getContainer(call.containerId).exec({ ...call.body, abortSignal })).id };
    case 'inspectExec': {
      const { Pid, Running, ExitCode } = await docker.getExec(call.id).inspect({ abortSignal });
      return { pid: Pid ?? 0, exitCode: Running ? undefined : (ExitCode ?? undefined) };
    }
    case 'resizeExec':
      return nothing(
        docker.getExec(call.id).resize({ w: call.columns, h: call.rows, ...abortable }) as Promise<unknown>,
      );
    case 'createNetwork':
      return { id: (await docker.createNetwork({ ...call.body, abortSignal })).id };
    case 'inspectNetwork':
      return networkShape(await docker.getNetwork(call.id).inspect());
    case 'connectNetwork': {
      const options = { Container: call.containerId, EndpointConfig: call.endpoint, ...abortable };
      return nothing(docker.getNetwork(call.id).connect(options));
    }
    case 'disconnectNetwork':
      return nothing(
        docker.getNetwork(call.id).disconnect({ Container: call.containerId, Force: true, abortSignal }),
      );
    case 'removeNetwork':
      return nothing(docker.getNetwork(call.id).remove({ abortSignal }));
    case 'listNetworks': {
      const filters = { label: call.labels, ...(call.name === undefined ? {} : { name: [call.name] }) };
      return (await docker.listNetworks({ filters, abortSignal })).map(networkShape);
    }
    case 'createVolume':
      return { name: (await docker.createVolume({ ...call.body, abortSignal })).name };
    case 'inspectVolume':
      return volumeShape(await docker.getVolume(call.name).inspect({ abortSignal }));
    case 'removeVolume':
      return nothing(docker.getVolume(call.name).remove({ abortSignal }));
    case 'listVolumes': {
      const { Volumes } = await docker.listVolumes({ filters: { label: call.labels }, abortSignal });
      return (Volumes ?? []).map(volumeShape);
    }
  }
}

// dockerode hands options through to the request for these, but its types do not have them.
interface Abortable {
  version(options: { abortSignal: AbortSignal }): Promise<Docker.DockerVersion>;
  info(options: { abortSignal: AbortSignal }): Promise<{
    Runtimes?: Record<string, unknown>;
    DefaultRuntime?: string;
  }>;
}

async function version(docker: Docker, abortSignal: AbortSignal): Promise<CallResults['version']> {
  const answer = await (docker as unknown as Abortable).version({ abortSignal });
  return {
    version: answer.Version,
    apiVersion: answer.ApiVersion,
    minApiVersion: answer.MinAPIVersion ?? answer.ApiVersion,
  };
}

async function runtimes(docker: Docker, abortSignal: AbortSignal): Promise<CallResults['info']> {
  const answer = await (docker as unknown as Abortable).info({ abortSignal });
  return { runtimes: Object.keys(answer.Runtimes ?? {}), defaultRuntime: answer.DefaultRuntime ?? '' };
}

async function hasFile(
  container: Docker.Container,
  path: string,
  abortSignal: AbortSignal,
): Promise<boolean> {
  try {
    const response = (await container.infoArchive({ path, abortSignal })) as IncomingMessage;
    // It has no body; until its end is read, its connection stays taken.
    response.resume();
    return true;
  } catch (error) {
    if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return false;
    throw error;
  }
}

async function nothing(done: Promise<unknown>): Promise<null> {
  await done;
  return null;
}

/** Started twice or stopped twice is not an error. */
async function unlessAlready(status: number, done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (error instanceof Error && 'statusCode' in error && error.statusCode === status) return;
    throw error;
  }
}
