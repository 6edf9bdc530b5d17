import { describe, expect, it } from 'vitest';
import { RuntimeRegistry, BUILT_IN_RUNTIMES } from '#dist/src/domain/runtime/registry.js';
import { phpRuntime } from '../../support/env/php-runtime.js';
import { docker } from '../../support/docker-cli.js';
import { appFiles, type EnvWorld, inEnvWorld } from './env-world.js';

let world: EnvWorld;
inEnvWorld((opened) => (world = opened));

/** Runs the health check of an env's container, as Docker does. */
async function healthOf(envId: string, change: (part: string) => string = (part) => part): Promise<void> {
  const test = JSON.parse(
    await docker('inspect', '-f', '{{json .Config.Healthcheck.Test}}', envId),
  ) as string[];
  await docker('exec', envId, ...test.slice(1).map(change));
}

describe('runtimes', () => {
  it('nginx serves the app folder, without the rights of root but for giving them up', async () => {
    const files = { 'index.html': '<h1>hello</h1>', 'css/site.css': 'h1 {}' };
    const { env, last } = await world.deploy('site', appFiles({ runtimeType: 'nginx' }, files));
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(await (await fetch(env.url)).text()).toBe('<h1>hello</h1>');
    expect((await fetch(`${env.url}/css/site.css`)).headers.get('content-type')).toContain('text/css');
    expect((await fetch(`${env.url}/nothing`)).status).toBe(404);
    await healthOf(env.id);
    await expect(healthOf(env.id, (part) => (part === '80' ? '81' : part))).rejects.toThrow();
  });

  it('a fifth one is one file and its registration', async () => {
    world.runtimes = new RuntimeRegistry([...BUILT_IN_RUNTIMES, phpRuntime]);
    world.restart();
    const { env, last } = await world.deploy(
      'php',
      appFiles({ runtimeType: 'php' }, { 'index.php': 'hello from php' }),
    );
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(await (await fetch(`${env.url}/index.php`)).text()).toBe('hello from php');
    expect(env.runtime).toBe('php');
  });
});
