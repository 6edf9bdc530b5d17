// The stages of `npm test`, in order: what each needs to be prepared, and how it runs.
import { isFull } from './extent.mjs';
import { check, checkAside, goTests, vitestProject } from './runners.mjs';
import { withTestDaemon } from './test-daemon.mjs';

/**
 * @typedef {import('./vitest-outcome.mjs').Outcome} Outcome
 * @typedef {'docker' | 'go' | 'images' | 'cpython' | 'grpcurl' | 'compose' | 'build' | 'crun' | 'bubblewrap' | 'gvisor'} Need
 * @typedef {object} Stage
 * @property {string} name what `npm test -- NAME` selects
 * @property {Need[]} needs prepared before it, once for all stages; when that fails, so does the stage
 * @property {boolean} [aside] it takes one core and nothing of Docker, so it runs beside the stages behind it
 * @property {string} [sampled] what `npm test` runs only a sample of in it, and `npm run test:full` the whole (extent.mjs)
 * @property {(env: Record<string, string>) => Promise<Outcome>} run `env` tells tests where prepared things are
 */

const node = process.execPath;

/** Unit tests share modules and no state: to load all modules anew for each file takes as long as the tests do. */
const UNISOLATED = ['--no-isolate'];

/** @type {Stage[]} */
export const STAGES = [
  { name: 'generated', needs: ['go'], run: () => check([node, 'src/cli/setup/gen.mjs', '--check']) },
  { name: 'contract-lint', needs: [], run: () => check([node, 'src/cli/setup/contract.mjs', 'lint']) },
  {
    name: 'contract-breaking',
    needs: [],
    run: () => check([node, 'src/cli/setup/contract.mjs', 'breaking']),
  },
  // The one build of a run: the stages behind it find it done.
  { name: 'build', needs: ['build'], run: async () => ({ passed: 1, failed: 0, skipped: 0, failures: [] }) },
  {
    name: 'readme',
    needs: ['build'],
    run: () => check([node, 'src/cli/setup/readme-tables.mjs', '--check']),
  },
  { name: 'unit', needs: [], run: (env) => vitestProject('unit', env, UNISOLATED) },
  // Behind the unit tests, which take every core, and beside those that wait for Docker most of the time.
  { name: 'lint', needs: [], aside: true, run: () => checkAside(['npm', 'run', '--silent', 'lint']) },
  { name: 'types', needs: [], aside: true, run: () => checkAside(['npm', 'run', '--silent', 'types']) },
  {
    name: 'integration',
    needs: ['build', 'docker', 'go', 'images', 'crun', 'bubblewrap', 'compose'],
    sampled: 'tests of images, stores and databases that take long',
    run: (env) => vitestProject('integration', env),
  },
  {
    name: 'e2e',
    needs: ['build', 'docker', 'go', 'images', 'crun', 'bubblewrap', 'cpython', 'grpcurl', 'compose'],
    sampled: "CPython's own tests, some of envs and of the daemon that take long, and failpoints",
    run: (env) => vitestProject('e2e', env),
  },
  // Beside the others: a host that cannot run gVisor fails here and nowhere else.
  {
    name: 'gvisor',
    needs: ['build', 'docker', 'images', 'gvisor'],
    run: (env) => vitestProject('gvisor', env),
  },
  {
    name: 'hostile',
    // Not gVisor: where it is missing, the programs say that they were not tried on it.
    needs: ['build', 'docker', 'images', 'crun', 'bubblewrap'],
    sampled: 'hostile programs on each engine',
    run: (env) => vitestProject('hostile', env),
  },
  { name: 'runner', needs: ['go'], run: (env) => goTests('src/runner', env) },
  { name: 'enclosure', needs: ['go'], run: (env) => goTests('src/engine/local/enclosure', env) },
  {
    name: 'gvisor-runtime',
    needs: ['go'],
    run: (env) => goTests('src/engine/docker/sandbox/gvisor/runtime', env),
  },
  {
    name: 'go-client',
    needs: ['build', 'docker', 'go', 'images'],
    run: (env) => withTestDaemon((address) => goTests('clients/go', { ...env, BERTH_ADDRESS: address })),
  },
  {
    name: 'soak',
    needs: ['build', 'docker', 'images', 'crun'],
    sampled: 'the soak',
    // A seed of its own choosing each time would make two runs of the tests different.
    run: () => check([node, 'test/soak/run.mjs', '--minutes', isFull() ? '5' : '1', '--seed', 'npm-test']),
  },
];
