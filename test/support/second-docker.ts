import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const UP = /API listen on/;

/**
 * A dockerd of the test's own beside the machine's, that may be killed and started again. It has its own storage, its own
 * containerd and no hand in the host's firewall: its ports are published by docker-proxy alone, and only to this host.
 */
export class SecondDocker {
  #process!: ChildProcess;

  private constructor(private readonly root: string) {}

  static async start(): Promise<SecondDocker> {
    const docker = new SecondDocker(mkdtempSync(join(tmpdir(), 'berth-dockerd-')));
    writeFileSync(join(docker.root, 'daemon.json'), '{}');
    await docker.start();
    return docker;
  }

  /** For `BERTH_DOCKER_HOST`. */
  get host(): string {
    return `unix://${join(this.root, 'docker.sock')}`;
  }

  /** The docker CLI on it. */
  readonly docker = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('docker', ['-H', this.host, ...args], { maxBuffer: 64 * 1024 * 1024 });
    return stdout.trim();
  };

  /** Copies an image of the machine's Docker. */
  async take(image: string): Promise<void> {
    await run('sh', ['-c', 'docker save "$1" | docker -H "$2" load', 'take', image, this.host]);
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const log = createWriteStream(join(this.root, 'dockerd.log'), { flags: 'a' });
    const child = spawn(
      'dockerd',
      [
        `--data-root=${join(this.root, 'data')}`,
        `--exec-root=${join(this.root, 'exec')}`,
        `--pidfile=${join(this.root, 'dockerd.pid')}`,
        `--host=${this.host}`,
        // An empty one, and not the machine's.
        `--config-file=${join(this.root, 'daemon.json')}`,
        // The machine's, which nothing here uses: one that shall have none takes it away from the machine's Docker.
        '--bridge=docker0',
        '--iptables=false',
        '--ip-masq=false',
        '--storage-driver=overlay2',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#process = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        log.write(chunk);
        said = (said + chunk.toString()).slice(-8_192);
        if (UP.test(said)) resolve();
      });
      child.once('exit', (code) => reject(new Error(`dockerd ended with ${code}: ${said.slice(-2_000)}`)));
      child.once('error', reject);
    });
  }

  /** SIGKILL is a crash; SIGTERM stops its containers first. Resolves when it is gone. */
  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const gone = once(this.#process, 'exit');
    this.#process.kill(signal);
    await gone;
    // A dockerd that is killed leaves its containerd a moment longer; the next one would take it for its own.
    await this.#endContainerd();
  }

  /** Removes all that is in it and of it. @returns what is left then */
  async dispose(): Promise<string[]> {
    const ids = (await this.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
    if (ids.length > 0) await this.docker('rm', '-f', '-v', ...ids);
    await this.docker('network', 'prune', '-f');
    await this.stop('SIGTERM');
    for (const mount of this.#mounts()) await run('umount', ['-l', mount]).catch(() => undefined);
    await rm(this.root, { recursive: true, force: true });
    return [...this.#mounts(), ...(await this.#processes()).map((pid) => `process ${pid}`)];
  }

  async #endContainerd(): Promise<void> {
    const file = join(this.root, 'exec/containerd/containerd.pid');
    try {
      process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    } catch {
      // It is gone already, and so is its file.
    }
    await rm(file, { force: true });
  }

  #mounts(): string[] {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(this.root))
      .reverse();
  }

  async #processes(): Promise<string[]> {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.root)) found.push(pid);
      } catch {
        // It has ended.
      }
    }
    return found;
  }
}
