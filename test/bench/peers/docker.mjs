// Docker without Berth: `docker exec` into a container that runs already, `docker run --rm`, and the bare calls of its API
// that end what compose brought up.
import { must } from '../../../src/cli/setup/processes.mjs';
import { PEER_LABEL } from '../leftovers.mjs';
import { timed } from '../measure/interleaved.mjs';
import { checkOutput, program } from '../measure/program.mjs';
import { outputOf } from './bare-python.mjs';

const STDCOPY_HEADER_BYTES = 8;
const TRIALS = 5;

/**
 * A container to exec into, of the sandboxes' image, without their limits.
 *
 * @returns {Promise<{id: string, remove: () => Promise<void>}>}
 */
export async function warmContainer({ id: runId, sandboxImage, docker }) {
  const args = [
    '--detach',
    '--network=none',
    '--init',
    '--entrypoint=sleep',
    `--label=${PEER_LABEL}=${runId}`,
  ];
  const { stdout } = await must(['docker', 'run', ...args, sandboxImage, 'infinity']);
  const id = stdout.trim();
  return { id, remove: () => docker.getContainer(id).remove({ force: true }) };
}

/**
 * The faster of the two ways to exec, so that the comparison is honest.
 *
 * @returns {Promise<{way: string, run: (round: number) => Promise<number>}>}
 */
export async function fasterExec(docker, containerId) {
  const ways = [
    { way: 'Engine API', run: (round) => execByApi(docker, containerId, round) },
    { way: 'docker CLI', run: (round) => execByCli(containerId, round) },
  ];
  const took = [0, 0];
  for (let trial = 0; trial < TRIALS; trial++)
    for (const [index, { run }] of ways.entries()) took[index] += await run(-100 - trial);
  return took[0] <= took[1] ? ways[0] : ways[1];
}

/** `docker run --rm` from start to end: the sandboxes' image without network, and without their limits. */
export async function runOnce({ id, sandboxImage }, round) {
  const { code, output } = program(round);
  const args = ['--rm', '--network=none', '--entrypoint=python3', `--label=${PEER_LABEL}=${id}`];
  const { ms, result } = await timed(() => outputOf(['docker', 'run', ...args, sandboxImage, '-c', code]));
  checkOutput('docker run', output, result);
  return ms;
}

/** Ends and starts the containers of a compose project by the calls that this takes, one after the other. */
export async function restartByApi(docker, { containers }) {
  for (const name of containers) await docker.getContainer(name).stop();
  for (const name of containers.toReversed()) await docker.getContainer(name).start();
}

/** Ends and removes a compose project without volumes by the calls that this takes, one after the other. */
export async function removeByApi(docker, { containers, networks }) {
  for (const name of containers) await docker.getContainer(name).stop();
  for (const name of containers) await docker.getContainer(name).remove({ v: true });
  for (const name of networks) await docker.getNetwork(name).remove();
}

async function execByCli(containerId, round) {
  const { code, output } = program(round);
  const { ms, result } = await timed(() => outputOf(['docker', 'exec', containerId, 'python3', '-c', code]));
  checkOutput('docker exec (CLI)', output, result);
  return ms;
}

/** Create, start, read to the end, ask for the exit code: what the CLI does too. */
async function execByApi(docker, containerId, round) {
  const { code, output } = program(round);
  const { ms, result } = await timed(async () => {
    const exec = await docker.getContainer(containerId).exec({
      Cmd: ['python3', '-c', code],
      AttachStdout: true,
      AttachStderr: true,
    });
    const chunks = [];
    for await (const chunk of await exec.start({ hijack: true })) chunks.push(chunk);
    const { ExitCode: exitCode } = await exec.inspect();
    return { output: withoutHeader(Buffer.concat(chunks)), exitCode };
  });
  checkOutput('docker exec (API)', output, result);
  return ms;
}

/** One line of output is one frame of Docker's stream format. */
function withoutHeader(frame) {
  return frame.subarray(STDCOPY_HEADER_BYTES).toString();
}
