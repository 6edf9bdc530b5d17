import { fail, ok, warn, type Check } from '../check.js';
import { dockerInfo } from '../docker-answers.js';
import type { HostView } from '../host-view.js';

const GET_GVISOR =
  'If you want it: npm run quickstart -- --gvisor, as root; it installs gVisor and registers it with Docker.';

/** What sandboxes without gVisor run under; berthd's own choice is in engine/docker/oci-runtime.ts. */
export const ociRuntime: Check = {
  name: 'sandbox runtime',
  async look(host) {
    const info = await dockerInfo(host);
    if (info === undefined) return warn('not known while Docker does not answer', 'See Docker Engine above.');
    const known = Object.keys(info.Runtimes ?? {});
    const configured = host.config.sandbox.ociRuntime;
    if (configured !== '') {
      return known.includes(configured)
        ? ok(`${configured}, as configured`)
        : fail(
            `${configured} is configured, and Docker has only ${known.join(', ')}; no sandbox can be created`,
            `Add it to 'runtimes' in /etc/docker/daemon.json and reload Docker, or unset BERTH_SANDBOX_OCI_RUNTIME.`,
          );
    }
    if (info.DefaultRuntime !== 'runc') return ok(`${info.DefaultRuntime}, Docker's default`);
    if (!known.includes('crun')) {
      return ok(
        "runc, Docker's default; under crun a sandbox costs less CPU to create (npm run quickstart sets it up)",
      );
    }
    const left = (await host.readText('/sys/fs/cgroup/unified/cgroup.controllers'))?.trim() ?? '';
    return left === ''
      ? ok('crun')
      : warn(
          `runc: crun refuses this host, where cgroup version 2 has controllers (${left}) beside version 1`,
          'npm run quickstart, as root, mounts them as the others are; creating a sandbox then costs less CPU.',
        );
  },
};

export const gvisor: Check = {
  name: 'gVisor',
  async look(host) {
    const runtimes = (await dockerInfo(host))?.Runtimes;
    if (runtimes?.['berth-runsc'] !== undefined)
      return ok('berth-runsc is a runtime of Docker: gVisor in a cgroup that holds the limits');
    const runsc = runtimes?.['runsc'];
    if (runsc !== undefined) {
      return JSON.stringify(runsc).includes('ignore-cgroups')
        ? warn(
            'the runtime runsc of Docker has --ignore-cgroups, so no limit holds; executions that ask for it are refused',
            'Add the runtime that holds them: npm run quickstart -- --gvisor, as root.',
          )
        : ok('runsc is a runtime of Docker');
    }
    return (await host.run(['runsc', '--version'])) === undefined
      ? warn('not installed; executions that ask for it are refused', GET_GVISOR)
      : warn('installed, but Docker does not know it; executions that ask for it are refused', GET_GVISOR);
  },
};

const PYTHONS = ['/usr/local/bin/python3', '/usr/bin/python3', '/bin/python3'];

/** What sandboxes are made with while Docker is away. */
export const localEngine: Check = {
  name: 'local engine',
  async look(host) {
    const { mode, bwrap, python, rootfs } = host.config.local;
    if (mode === 'off') return ok('turned off (local.mode)');
    const version = await host.run([bwrap, '--version']);
    if (version === undefined) {
      return warn(
        'bubblewrap is not installed; without Docker, code cannot be run as isolated local processes',
        'If you want that: apt-get install bubblewrap.',
      );
    }
    const trial = await host.run([bwrap, '--ro-bind', '/', '/', '--unshare-all', 'true']);
    if (trial?.code !== 0) {
      return warn(
        `${version.output.trim()}, but it cannot isolate here: ${trial?.output.trim() ?? ''}`,
        'Allow user namespaces: sysctl -w user.max_user_namespaces=10000, and kernel.unprivileged_userns_clone=1 where there is such a key.',
      );
    }
    const name = await interpreter(host, python === '' ? PYTHONS : [python]);
    if (name === undefined && rootfs === '') {
      return warn(
        `${version.output.trim()}, but there is no ${python === '' ? PYTHONS[1] : python} for local sandboxes`,
        'Install it (apt-get install python3), or name one in BERTH_LOCAL_PYTHON.',
      );
    }
    return ok(`${version.output.trim()}, ${rootfs === '' ? name : `root file system ${rootfs}`}`);
  },
};

async function interpreter(host: HostView, candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    const version = await host.run([candidate, '--version']);
    if (version?.code === 0) return version.output.trim();
  }
  return undefined;
}
