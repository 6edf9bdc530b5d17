import { ok, warn, type Check } from '../check.js';
import { dockerInfo } from '../docker-answers.js';

const GET_GVISOR =
  'If you want it: npm run quickstart -- --gvisor, as root; it installs gVisor and registers it with Docker.';

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

export const bubblewrap: Check = {
  name: 'bubblewrap',
  async look(host) {
    const version = await host.run(['bwrap', '--version']);
    if (version === undefined) {
      return warn(
        'not installed; without Docker, code cannot be run as isolated local processes',
        'If you want that: apt-get install bubblewrap.',
      );
    }
    const trial = await host.run(['bwrap', '--ro-bind', '/', '/', '--unshare-all', 'true']);
    return trial?.code === 0
      ? ok(version.output.trim())
      : warn(
          `${version.output.trim()}, but it cannot isolate here: ${trial?.output.trim() ?? ''}`,
          'Allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1, or run as root.',
        );
  },
};
