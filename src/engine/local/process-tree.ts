import { readdirSync, readFileSync } from 'node:fs';

/** SIGKILL; nothing when it is gone already. */
export function kill(pid: number): void {
  if (!(pid > 1)) return; // 0 and -1 are whole groups
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: what was wanted
  }
}

/** A process and all below it, parents first. */
export function processTree(pid: number): number[] {
  const found = [pid];
  for (let at = 0; at < found.length; at++) found.push(...childrenOf(found[at]!));
  return found;
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // gone
  }
}
