import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Docker from 'dockerode';
import { docker } from '../../../support/docker-cli.js';
import { ending, type Ended, type FidelityProgram } from '../program.js';

const UID = 4242;
const WORKSPACE = '/workspace';

interface Answer {
  status?: number;
  signal?: string;
  stdout: string;
  stderr: string;
  error?: string;
}

/**
 * `python3 main.py` in a container that is made as a sandbox is: the same image, limits, mounts and rights, read from
 * a running sandbox. No runner and no launcher is in it; its main process is `driver.py`, which starts the interpreter.
 */
export class PlainPython implements AsyncDisposable {
  readonly #answers: AsyncIterator<string>;
  #diagnostics = '';
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly name: string,
    private readonly process: ChildProcessWithoutNullStreams,
  ) {
    this.#answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    process.stderr.on('data', (chunk: Buffer) => (this.#diagnostics += chunk.toString()));
  }

  /** @param container name or id of a running sandbox */
  static async like(container: string): Promise<PlainPython> {
    const engine = new Docker();
    const { Image, Config, HostConfig } = await engine.getContainer(container).inspect();
    const name = `berth-test-plain-${randomUUID()}`;
    await engine.createContainer({
      name,
      Image,
      Entrypoint: ['python3', '-I', '-c', await readFile(join(import.meta.dirname, 'driver.py'), 'utf8')],
      Cmd: [],
      User: Config.User,
      WorkingDir: Config.WorkingDir,
      Env: Config.Env,
      ...(isNetworkDisabled(Config) && { NetworkDisabled: true }),
      OpenStdin: true,
      StdinOnce: true,
      Labels: { 'berth.test': 'plain' },
      HostConfig: { ...HostConfig, AutoRemove: false },
    });
    return new PlainPython(name, spawn('docker', ['start', '--attach', '--interactive', name]));
  }

  /** Runs one program after those that were asked for before it. */
  run(program: FidelityProgram): Promise<Ended> {
    const mine = this.#last.then(() => this.#run(program));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #run(program: FidelityProgram): Promise<Ended> {
    const entry = program.entry ?? 'main.py';
    const files = Object.entries({
      ...(program.code === undefined ? {} : { [entry]: program.code }),
      ...program.files,
    });
    const cwd = program.cwd ?? WORKSPACE;
    const request = {
      uid: UID,
      argv: ['python3', entry, ...(program.args ?? [])],
      env: program.env ?? {},
      cwd,
      directory: cwd,
      files: files.map(([path, content]) => ({ path, content: base64(content), mode: 0o644 })),
      stdin: base64(program.stdin ?? ''),
    };
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the plain container is gone: ${this.#diagnostics}`);
    const answer = JSON.parse(value as string) as Answer;
    if (answer.error !== undefined) throw new Error(`the plain interpreter: ${answer.error}`);
    return {
      ending: ending(answer.status, answer.signal),
      stdout: Buffer.from(answer.stdout, 'base64'),
      stderr: Buffer.from(answer.stderr, 'base64'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.stdin.end();
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'close');
    await docker('rm', '-f', this.name);
  }
}

function base64(content: string | Uint8Array): string {
  return Buffer.from(content).toString('base64');
}

/** dockerode's types leave it out. Without Docker's network programs a container has IPv6 on its loopback, and else it has not. */
function isNetworkDisabled(config: object): boolean {
  return (config as { NetworkDisabled?: boolean }).NetworkDisabled === true;
}
