import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { CallResults, RunInContainerCall } from './call-messages.js';
import { ProtocolViolation } from './failure.js';
import { StdcopyDemultiplexer } from './stdcopy-demultiplexer.js';

/** Of stdout and of stderr each; what comes after it is read and dropped. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
const EXIT_CODE_POLL_MS = 10;

/**
 * Runs a command in a running container with bytes on its standard input, and waits for its end. An abort closes the
 * connection: the command gets the end of its input, and Docker lets it run on.
 */
export async function runInContainer(
  docker: Docker,
  call: RunInContainerCall,
  abortSignal: AbortSignal,
): Promise<CallResults['runInContainer']> {
  const withInput = call.stdin !== undefined;
  const exec = await docker.getContainer(call.id).exec({
    Cmd: call.command,
    Env: call.env,
    ...(call.user === undefined ? {} : { User: call.user }),
    AttachStdin: withInput,
    AttachStdout: true,
    AttachStderr: true,
    abortSignal,
  });
  const stream = await exec.start({ hijack: true, stdin: withInput, abortSignal });
  const output = await communicate(stream, call.stdin, abortSignal);
  for (;;) {
    const { ExitCode, Running } = await exec.inspect({ abortSignal });
    if (!Running && ExitCode !== null) return { exitCode: ExitCode, ...output };
    // The output ends a moment before Docker has the exit code.
    await sleep(EXIT_CODE_POLL_MS, undefined, { signal: abortSignal });
  }
}

async function communicate(
  stream: Duplex,
  stdin: Uint8Array | undefined,
  abortSignal: AbortSignal,
): Promise<{ stdout: string; stderr: string }> {
  const collected = { stdout: new Collector(), stderr: new Collector() };
  let current: Collector = collected.stdout;
  const demultiplexer = new StdcopyDemultiplexer({
    begin: (which) => (current = collected[which]),
    data: (part) => current.add(part),
    end: () => {},
  });
  const onAbort = (): void => void stream.destroy(abortSignal.reason as Error);
  abortSignal.addEventListener('abort', onAbort, { once: true });
  try {
    if (stdin !== undefined) stream.end(stdin);
    for await (const chunk of stream as AsyncIterable<Uint8Array>) demultiplexer.push(chunk);
  } finally {
    abortSignal.removeEventListener('abort', onAbort);
    stream.destroy();
  }
  if (!demultiplexer.atBoundary) throw new ProtocolViolation('the output of a command was cut off');
  return { stdout: collected.stdout.text(), stderr: collected.stderr.text() };
}

class Collector {
  readonly #parts: Buffer[] = [];
  #left = MAX_OUTPUT_BYTES;

  /** @param part is copied */
  add(part: Uint8Array): void {
    const kept = part.subarray(0, this.#left);
    if (kept.length === 0) return;
    this.#left -= kept.length;
    this.#parts.push(Buffer.from(kept));
  }

  text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }
}
