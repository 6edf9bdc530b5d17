import { docker as machinesDocker } from '../docker-cli.js';

/** The container of a daemon's shared MySQL server. */
export function sharedServerOf(owner: string): string {
  return `${owner}-shared-mysql`;
}

/** Removes it with its data; envs that use it are gone by then. It outlives its daemon, and need not be there. */
export async function removeSharedServer(
  owner: string,
  docker: (...args: string[]) => Promise<string> = machinesDocker,
): Promise<void> {
  const name = sharedServerOf(owner);
  await docker('rm', '-f', '-v', name).catch(() => '');
  await docker('network', 'rm', `${name}-net`).catch(() => '');
  await docker('volume', 'rm', `${name}-data`).catch(() => '');
}
