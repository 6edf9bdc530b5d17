import { cp, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const MODULES = resolve(import.meta.dirname, '../../node_modules');

/** Installs a package that this checkout has into an app's folder, with all that it depends on. */
export async function installPackage(name: string, appFolder: string): Promise<void> {
  const installed = new Set<string>();
  const install = async (one: string): Promise<void> => {
    if (installed.has(one)) return;
    installed.add(one);
    const from = join(MODULES, one);
    await cp(from, join(appFolder, 'node_modules', one), { recursive: true });
    const { dependencies } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    for (const dependency of Object.keys(dependencies ?? {})) await install(dependency);
  };
  await install(name);
}
