import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** What a session forks while it is being killed is found in the next round. */
const ROUNDS = 40;
const ROUND_MS = 25;
const PROCESS_ID = /^\d+$/;

/**
 * Docker has no way to signal a command that runs in a container, but on its own host the command is a process as any
 * other. It leads a session (runc sees to that), whose processes are found in /proc; each must carry the container's id in
 * its cgroup, so that a pid that was used again is never taken for it.
 */
export class HostSession {
  constructor(
    private readonly pid: number,
    private readonly containerId: string,
  ) {}

  /** To the command itself. @returns whether it was there */
  async signal(name: NodeJS.Signals): Promise<boolean> {
    if (!(await this.#isOurs(this.pid))) return false;
    return send(this.pid, name);
  }

  /** Kills all of the session, which a process can leave only by a session of its own. Resolves when none is left. */
  async kill(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const members = await this.#members();
      if (members.length === 0) return;
      for (const pid of members) send(pid, 'SIGKILL');
      await delay(ROUND_MS);
    }
  }

  async #members(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => PROCESS_ID.test(name)).map(Number);
    const members: number[] = [];
    for (const pid of pids) {
      const session = await sessionOf(pid);
      // The command itself also where another runtime than runc has made it no leader.
      const isMember = session !== undefined && (session === this.pid || pid === this.pid);
      if (isMember && (await this.#isOurs(pid))) members.push(pid);
    }
    return members;
  }

  async #isOurs(pid: number): Promise<boolean> {
    const cgroups = await readFile(`/proc/${pid}/cgroup`, 'latin1').catch(() => '');
    return cgroups.includes(this.containerId);
  }
}

/** A zombie is none that could be killed. */
async function sessionOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name, in parentheses, may have anything in it.
  const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || session === undefined ? undefined : Number(session);
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
