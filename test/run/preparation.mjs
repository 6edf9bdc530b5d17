// What stages need before they can run, each prepared once and only when a chosen stage needs it.
import { ensureBubblewrap } from '../../src/cli/setup/bubblewrap.mjs';
import { ensureBuild } from '../../src/cli/setup/checkout.mjs';
import { ensureCompose } from '../../src/cli/setup/compose-plugin.mjs';
import { ensureCrun } from '../../src/cli/setup/crun.mjs';
import { ensureDocker } from '../../src/cli/setup/docker-engine.mjs';
import { ensureGvisor } from '../../src/cli/setup/gvisor.mjs';
import { ensureGrpcurl, requireGo } from '../../src/cli/setup/grpcurl.mjs';
import { describeImages, ensureImages } from '../../src/cli/setup/images.mjs';
import { step } from '../../src/cli/setup/progress.mjs';
import { ensureCpythonImage } from './cpython-image.mjs';

const IMAGES = [
  ...['berth/sandbox-python:3.11', 'python:3.11-slim', 'node:20-slim'],
  ...['nginx:stable', 'eclipse-temurin:17-jre', 'mysql'],
];

/** Each gives the variables that tell tests where it is. */
const PREPARATIONS = {
  docker: async () => {
    await step('prepare Docker Engine', ensureDocker);
    return {};
  },
  build: async () => {
    await step('prepare build', ensureBuild);
    return {};
  },
  go: async () => {
    await step('prepare Go', async () =>
      requireGo('The runner, the Go client and the check of generated code'),
    );
    return {};
  },
  images: async () => {
    let images = [];
    await step('prepare images', async (note) => {
      images = await ensureImages(IMAGES, note);
      return describeImages(images);
    });
    return { BERTH_TEST_MYSQL_IMAGE: images.find(({ name }) => name === 'mysql').reference };
  },
  crun: async () => {
    await step('prepare crun', (note) => ensureCrun(IMAGES[0], note));
    return {};
  },
  bubblewrap: async () => {
    await step('prepare bubblewrap', ensureBubblewrap);
    return {};
  },
  gvisor: async () => {
    await step('prepare gVisor', (note) => ensureGvisor(IMAGES[0], note));
    return {};
  },
  cpython: async () => {
    let image;
    await step("prepare CPython's own tests", async (note) => {
      image = await ensureCpythonImage(note);
      return image.fresh ? '1 built' : '1 there';
    });
    return { BERTH_TEST_CPYTHON_IMAGE: image.reference };
  },
  grpcurl: async () => ({ BERTH_TEST_GRPCURL: await step('prepare grpcurl', ensureGrpcurl) }),
  compose: async () => {
    let compose;
    await step('prepare docker compose', async (note) => {
      compose = await ensureCompose(note);
      return compose?.version ?? 'not available: comparisons with it are left out';
    });
    if (compose === undefined) return {};
    return {
      BERTH_TEST_COMPOSE: compose.version,
      BERTH_TEST_COMPOSE_CONFIG: compose.env.DOCKER_CONFIG ?? '',
    };
  },
};

/**
 * Prepares on demand and remembers the outcome, good or bad.
 *
 * @returns {(needs: import('./stages.mjs').Need[]) => Promise<Record<string, string>>} rejects with the first
 *   preparation that failed
 */
export function preparer() {
  /** @type {Map<string, Promise<Record<string, string>>>} */
  const done = new Map();
  return async (needs) => {
    const env = {};
    for (const need of needs) {
      if (!done.has(need)) done.set(need, PREPARATIONS[need]());
      Object.assign(env, await done.get(need));
    }
    return env;
  };
}
