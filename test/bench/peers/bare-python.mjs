// The bare interpreter of this host, started by this process.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { must } from '../../../src/cli/setup/processes.mjs';
import { timed } from '../measure/interleaved.mjs';
import { checkOutput, program } from '../measure/program.mjs';

const DISTRIBUTIONS = '/usr/bin/python3';

/** The program itself: what `python3` on PATH is may be a shim that takes longer than the interpreter. */
export async function bareInterpreter() {
  try {
    accessSync(DISTRIBUTIONS, constants.X_OK);
    return DISTRIBUTIONS;
  } catch {
    const { stdout } = await must(['python3', '-c', 'import sys; print(sys.executable)'], {
      todo: 'The benchmark compares with the interpreter of this host: install python3.',
    });
    return stdout.trim();
  }
}

/** One `python3 -c` from its start to its end, output read to EOF, in milliseconds. */
export async function runBare(python, round, prelude) {
  const { code, output } = program(round, prelude);
  const { ms, result } = await timed(() => outputOf([python, '-c', code]));
  checkOutput('bare python', output, result);
  return ms;
}

/** Runs a program without a shell. @returns {Promise<{output: string, exitCode: number | null}>} */
export function outputOf(argv, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: env === undefined ? process.env : { ...process.env, ...env },
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ output: Buffer.concat(chunks).toString(), exitCode }));
  });
}
