import { workerData } from 'node:worker_threads';
import { DockerClients, type DockerWorkerData } from './docker-client.js';
import { runEventStream } from './event-stream.js';
import { type DockerFailure, failureFrom } from './failure.js';
import { runLogStream } from './log-stream.js';
import { Outlet } from './outlet.js';
import { type OpenRunner, openRunner } from './runner-stream.js';
import { openProcess, type OpenProcess } from './process-stream.js';
import type { StreamTask, ToStream } from './stream-messages.js';

const clients = new DockerClients((workerData as DockerWorkerData).dockerHost);

/**
 * A task of the pool "streams": opens one stream and lives as long as it. Everything is said over the task's own port;
 * never throws, so that a rejected task means a dead thread and nothing else.
 */
export default async function runStream(task: StreamTask): Promise<void> {
  const { open, port } = task;
  const docker = clients.at(task.apiVersion);
  const outlet = new Outlet(port, task.windowBytes);
  const abort = new AbortController();
  let runner: OpenRunner | undefined;
  let process: OpenProcess | undefined;
  port.on('message', (message: ToStream) => {
    switch (message.kind) {
      case 'write':
        runner?.write(message.bytes);
        process?.write(message.bytes);
        return;
      case 'end_input':
        process?.endInput();
        return;
      case 'credit':
        outlet.refill(message.bytes);
        return;
      case 'cancel':
        abort.abort();
        return;
    }
  });
  // The main side is gone, or closed its end without a word.
  port.on('close', () => abort.abort());

  let failure: DockerFailure | undefined;
  try {
    switch (open.kind) {
      case 'runner': {
        runner = await openRunner(docker, open.containerId, outlet, abort.signal);
        failure = await runner.ended;
        break;
      }
      case 'logs':
        failure = await runLogStream(docker, open, outlet, abort.signal);
        break;
      case 'exec':
      case 'attach':
        process = await openProcess(docker, open, outlet, abort.signal);
        failure = await process.ended;
        break;
      case 'events':
        failure = await runEventStream(docker, open.filters, outlet, abort.signal);
        break;
    }
  } catch (error) {
    failure = failureFrom(error);
  }
  outlet.ended(failure);
}
