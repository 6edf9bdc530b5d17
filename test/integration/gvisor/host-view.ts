import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { containersOf, docker } from '../../support/docker-cli.js';

const ROOT = '/sys/fs/cgroup';
const IS_V2 = existsSync(join(ROOT, 'cgroup.controllers'));

/** A container under gVisor as this host sees it: its cgroup with whoever is in it. */
export class HostView {
  private constructor(
    readonly sandboxId: string,
    readonly containerId: string,
    /** gVisor's kernel. */
    readonly pid: number,
    private readonly path: string,
  ) {}

  /** Every container of a daemon that lives under gVisor. */
  static async all(owner: string): Promise<HostView[]> {
    const views = await Promise.all((await containersOf(owner)).map((id) => HostView.of(id)));
    return views.filter((view) => view !== undefined);
  }

  /** Undefined when it is not under gVisor, or gone. */
  private static async of(id: string): Promise<HostView | undefined> {
    const format = '{{slice .Name 7}} {{.State.Pid}} {{.HostConfig.Runtime}}';
    const answer = await docker('inspect', '--format', format, id).catch(() => '');
    const [sandboxId = '', pid = '', runtime] = answer.split(' ');
    if (runtime !== 'berth-runsc' || !existsSync(`/proc/${pid}/cgroup`)) return undefined;
    const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .split('\n')
      .find((entry) => (IS_V2 ? entry.startsWith('0::') : /:memory:/.test(entry)));
    return new HostView(sandboxId, id, Number(pid), own?.split(':').slice(2).join(':') ?? '');
  }

  static async one(owner: string, sandboxId: string): Promise<HostView> {
    const found = (await HostView.all(owner)).find((view) => view.sandboxId === sandboxId);
    if (found === undefined) throw new Error(`${sandboxId} does not run under gVisor`);
    return found;
  }

  get cgroups(): string[] {
    const controllers = IS_V2 ? [''] : ['memory', 'cpu', 'cpuacct', 'pids'];
    return controllers.map((controller) => join(ROOT, controller, this.path));
  }

  /** One number of a file, of v1 or of v2. */
  read(v1: { controller: string; file: string }, v2: string, pattern = /(\d+)/): number {
    const file = IS_V2 ? join(ROOT, this.path, v2) : join(ROOT, v1.controller, this.path, v1.file);
    return Number(pattern.exec(readFileSync(file, 'utf8'))?.[1]);
  }

  /** CPU time used, and the periods of its quota in which it wanted any. */
  cpu(): { cpuMs: number; periods: number } {
    const used = this.read({ controller: 'cpuacct', file: 'cpuacct.usage' }, 'cpu.stat');
    const periods = this.read({ controller: 'cpu', file: 'cpu.stat' }, 'cpu.stat', /nr_periods (\d+)/);
    return { cpuMs: IS_V2 ? used / 1e3 : used / 1e6, periods };
  }

  /** Host processes in the cgroup of each controller. */
  members(): number[][] {
    return this.cgroups.map((directory) =>
      readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number),
    );
  }

  /** The processes that the container's shim has started: gVisor's kernel and its gofer. */
  startedByShim(): number[] {
    const shim = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return readFileSync(`/proc/${shim}/task/${shim}/children`, 'utf8').trim().split(' ').map(Number);
  }
}
