import { BerthError } from '../../../../domain/errors.js';

/** As `npm run quickstart -- --gvisor` registers it: runsc in a cgroup that holds the limits. */
const BERTH_RUNTIME = 'berth-runsc';
/** As gVisor's own installation does. */
const RUNSC_RUNTIME = 'runsc';

/**
 * The Docker runtime that gives gVisor.
 * @param known the runtimes that Docker has
 * @param configured `sandbox.gvisorRuntime`; empty: the first that Docker has of berth-runsc and runsc
 * @throws BerthError ISOLATION_UNAVAILABLE with what to do
 */
export function gvisorRuntimeName(known: readonly string[], configured: string): string {
  const wanted = configured === '' ? [BERTH_RUNTIME, RUNSC_RUNTIME] : [configured];
  const found = wanted.find((name) => known.includes(name));
  if (found !== undefined) return found;
  throw new BerthError(
    'ISOLATION_UNAVAILABLE',
    `isolation gvisor needs a Docker runtime ${wanted.join(' or ')}, and Docker has only ${known.join(', ')}; ` +
      "to get it, run 'npm run quickstart -- --gvisor' as root (it installs gVisor, registers berth-runsc in " +
      '/etc/docker/daemon.json and reloads Docker), or ask for another isolation',
    { metadata: { runtime: wanted.join(',') } },
  );
}
