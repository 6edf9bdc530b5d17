import { cp, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const MODULES = resolve(import.meta.dirname, '../../node_modules');

/**
 * Installs a package that this checkout has into an app's folder, with all that it depends on.
 *
 * @param {string} name
 * @param {string} appFolder
 */
export async function installPackage(name, appFolder) {
  const installed = new Set();
  const install = async (one) => {
    if (installed.has(one)) return;
    installed.add(one);
    const from = join(MODULES, one);
    await cp(from, join(appFolder, 'node_modules', one), { recursive: true });
    const { dependencies } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies ?? {})) await install(dependency);
  };
  await install(name);
}
