// The image for the tests that compare with a plain interpreter: a Python sandbox that has CPython's own tests as well.
// Uses the compiled modules that build the other images, so it comes after the build.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../../src/cli/setup/host.mjs';

const TAG = 'berth/test-cpython:3.11';
const BASE = 'python:3.11-slim';
const SANDBOX = 'berth/sandbox-python:3.11';
const FOLDER = join(root, 'test/images/cpython-tests');

const compiled = (name) =>
  import(pathToFileURL(join(root, 'dist/src/engine/docker/images', `${name}.js`)).href);

/**
 * Builds it where it is not there or what it is made of has changed, from the host's Debian mirror. The images that it
 * is built on must be there. A new sandbox layer does not fetch the tests again: Docker keeps the layer with them.
 *
 * @param {(text: string) => void} [note] what it is doing
 * @returns {Promise<{reference: string, fresh: boolean}>}
 */
export async function ensureCpythonImage(note = () => {}) {
  const { DockerCli, RECIPE_LABEL, SOURCE_LABEL } = await compiled('docker-cli');
  const { hashOf, hashOfFiles } = await compiled('content-hash');
  const { readHostSettings } = await compiled('host-settings');

  const cancel = new AbortController();
  const onInterrupt = () => cancel.abort();
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  try {
    const docker = new DockerCli(process.env, cancel.signal);
    const [base, sandbox, folder] = await Promise.all([
      docker.idOf(BASE),
      docker.idOf(SANDBOX),
      hashOfFiles(FOLDER),
    ]);
    const recipe = hashOf({ base, sandbox, folder });
    const before = (await docker.inspect([TAG])).get(TAG);
    if (before?.recipe === recipe) return { reference: TAG, fresh: false };

    const { network } = await readHostSettings(process.env, cancel.signal);
    await docker.build(FOLDER, {
      tag: TAG,
      buildArgs: { BASE, SANDBOX, ...network.buildArgs },
      labels: { [RECIPE_LABEL]: recipe, [SOURCE_LABEL]: 'built' },
      network: network.network,
      onLine: note,
    });
    if (before?.recipe !== undefined) await docker.removeUnused(before.id);
    return { reference: TAG, fresh: true };
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}
