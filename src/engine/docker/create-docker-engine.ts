import type { Logger } from '../../telemetry/logger.js';
import { DockerAvailability } from './availability.js';
import { DockerCalls } from './docker-calls.js';
import { DockerStreams } from './docker-streams.js';
import { DockerDatabaseEngine } from './database/engine.js';
import { DockerEnvEngine } from './env/engine.js';
import { DockerExecEngine } from './env/exec-engine.js';
import { OciRuntime } from './oci-runtime.js';
import { DockerSandboxEngine, type GvisorOptions } from './sandbox/engine.js';

export interface DockerEngineOptions {
  /** `unix:///path/of/socket` or `tcp://host:port`. */
  dockerHost: string;
  /** Label value on everything that is made, and filter for everything that is found. */
  owner: string;
  /** File of the sandboxes' seccomp profile. */
  seccompProfilePath: string;
  /** What sandboxes see as `/etc/hosts`. */
  hostsFile: string;
  /** Docker runtime of sandboxes without gVisor; default or empty: crun where it is there and works, else Docker's default. */
  ociRuntime?: string;
  gvisor?: GvisorOptions;
  /** Threads for short calls. */
  callThreads: number;
  /** Threads that carry streams. */
  streamThreads: number;
  /** Streams at once: runner channels and log followers. More are refused with OVERLOADED. */
  maxStreams: number;
  logger: Logger;
  /** For tests: what stands between the engines and Docker. */
  between?:
    { calls(calls: DockerCalls): DockerCalls; streams(streams: DockerStreams): DockerStreams } | undefined;
}

export interface DockerEngine {
  sandboxes: DockerSandboxEngine;
  envs: DockerEnvEngine;
  databases: DockerDatabaseEngine;
  execs: DockerExecEngine;
  availability: DockerAvailability;
  /** Ends all streams and threads. Containers stay as they are. */
  close(): Promise<void>;
}

/** Resolves when Docker has been tried once; `availability` says what came of it. Docker may be away: it is found later. */
export async function createDockerEngine(options: DockerEngineOptions): Promise<DockerEngine> {
  const { dockerHost, owner, logger, between } = options;
  const realCalls = new DockerCalls({ dockerHost, threads: options.callThreads, logger });
  const realStreams = new DockerStreams({
    dockerHost,
    threads: options.streamThreads,
    maxStreams: options.maxStreams,
    logger,
  });
  const calls = between ? between.calls(realCalls) : realCalls;
  const streams = between ? between.streams(realStreams) : realStreams;
  const availability = new DockerAvailability({ calls, streams, owner, dockerHost, logger });
  const sameHost = new URL(dockerHost).protocol === 'unix:';
  const { seccompProfilePath, hostsFile, gvisor } = options;
  const ociRuntime = new OciRuntime({ calls, configured: options.ociRuntime ?? '', logger });
  const sandboxes = new DockerSandboxEngine({
    calls,
    streams,
    owner,
    seccompProfilePath,
    sameHost,
    hostsFile,
    ociRuntime,
    gvisor,
    logger,
  });
  const envs = new DockerEnvEngine({ calls, streams, availability, owner, sameHost, ociRuntime, logger });
  const databases = new DockerDatabaseEngine({ calls, streams, owner });
  const execs = new DockerExecEngine({ calls, streams, sameHost });
  availability.onChange(({ state }) => {
    // It may have been configured anew.
    if (state === 'up') ociRuntime.forget();
  });
  await availability.start();
  return {
    sandboxes,
    envs,
    databases,
    execs,
    availability,
    async close() {
      await availability.close();
      // Streams first: a pool that closes waits for its tasks.
      await streams.close();
      await calls.close();
    },
  };
}
