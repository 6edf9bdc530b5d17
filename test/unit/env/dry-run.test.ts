import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeployRequest } from '../../../src/domain/env/requests.js';
import { BerthError } from '../../../src/domain/errors.js';
import { EnvOperations } from '../../../src/domain/env/operations.js';
import { MustacheTemplates } from '../../../src/templates/mustache-templates.js';
import { EnvHarness, NODE_FILES } from '../../support/env/env-harness.js';

const TEMPLATES = join(import.meta.dirname, '../../../templates');
const never = new AbortController().signal;

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const dryRun = (overrides: Partial<DeployRequest> = {}) =>
  world.operations.dryRun.of(world.request(overrides), never);
const withMetadata = (metadata: object, files = NODE_FILES) =>
  dryRun({ metadata: { runtimeType: 'node', ...metadata }, files });
const rulesOf = ({ findings }: Awaited<ReturnType<typeof dryRun>>) =>
  findings.map(({ severity, rule, field }) => `${severity} ${rule} ${field}`);

describe('a dry run', () => {
  it('says what a deployment would do, and makes nothing', async () => {
    const result = await dryRun();
    expect(result).toMatchObject({ deployable: true, outcome: 'created', findings: [] });
    expect(result.steps.slice(0, 3)).toEqual(['check_image', 'claim_port', 'create_directory']);
    expect(result.composeYaml).toContain(`"127.0.0.1:${world.config.portFirst}:`);
    await world.expectNothingLeft();
    expect(world.store.envs.size).toBe(0);
    expect(await readdir(world.config.basePath).catch(() => 'none')).toBe('none');
  });

  it('has the steps and the very compose file of the deployment that follows', async () => {
    const before = await dryRun();
    const { env, events } = await world.deploy();
    const [started] = events;
    expect(started?.body).toMatchObject({ type: 'operation_started', plan: before.steps });
    const written = await readFile(join(env.directory, 'docker-compose.yml'), 'utf8');
    expect(before.composeYaml.replaceAll('env-000000000000', env.id)).toBe(written);
    expect(before.appDigest).toBe(env.appDigest);
    // And of the env that there is, under its own id.
    expect((await dryRun()).composeYaml).toBe(written);
    await world.destroy(env.id);
  });

  it('knows what would become of the env that there is', async () => {
    const { env } = await world.deploy();
    expect(await dryRun()).toMatchObject({ outcome: 'unchanged', steps: [] });
    expect(await dryRun({ force: true })).toMatchObject({ outcome: 'replaced' });
    expect(await dryRun({ environment: { A: 'b' } })).toMatchObject({ outcome: 'replaced' });
    expect(await dryRun({ userId: 'bob' })).toMatchObject({ outcome: 'created' });
    await world.stop(env.id);
    expect(await dryRun()).toMatchObject({ outcome: 'started' });
    expect(await world.operations.get('default', env.id)).toMatchObject({ state: 'stopped' });
    await world.destroy(env.id);
  });

  it('of a request that is wrong is refused as the deployment is', async () => {
    await expect(dryRun({ userId: '' })).rejects.toMatchObject({ violations: [{ field: 'user_id' }] });
    await expect(dryRun({ files: [] })).rejects.toMatchObject({ reason: 'APP_NOT_FOUND' });
  });

  it.each<[string, object, string[]]>([
    [
      'several wrong keys',
      { containerPort: 0, colour: 1 },
      ['error metadata.invalid_value containerPort', 'error metadata.unknown_key colour'],
    ],
    ['an unknown runtime', { runtimeType: 'cobol' }, ['error metadata.runtime_unknown runtimeType']],
    [
      'a volume outside the app',
      { volumes: [{ containerPath: '/w', hostPath: '../../etc' }] },
      ['error metadata.invalid_value volumes.0.hostPath'],
    ],
    [
      'a volume of an absolute path',
      { volumes: [{ containerPath: '/w', hostPath: '/etc' }] },
      ['error metadata.invalid_value volumes.0.hostPath'],
    ],
    [
      'a volume of no folder',
      { volumes: [{ containerPath: '/w', hostPath: 'web' }] },
      ['error metadata.invalid_value volumes.0.hostPath'],
    ],
    [
      'a volume over the kernel’s paths',
      { volumes: [{ containerPath: '/proc/x' }] },
      ['error metadata.invalid_value volumes.0.containerPath'],
    ],
  ])('of an app with %s says so and is not deployable', async (_, metadata, rules) => {
    const result = await withMetadata(metadata);
    expect(rulesOf(result)).toEqual(rules);
    expect(result).toMatchObject({ deployable: false, composeYaml: '', steps: [] });
  });

  it('shows a command with shell metacharacters as it will run: by the container’s shell, as one argument', async () => {
    const line = 'node server.js; rm -rf / && `id` $(id) > /etc/x | cat "$HOME" \'q\' &';
    const { composeYaml, deployable } = await withMetadata({ startCommand: line });
    expect(deployable).toBe(true);
    const command = /^ {4}command: (.*)$/m.exec(composeYaml)?.[1] ?? '';
    expect(JSON.parse(command.replaceAll('$$', '$'))).toEqual(['sh', '-c', line]);
  });

  it('says what is missing on the host, all of it', async () => {
    world.engine.requireImage = () => Promise.reject(new BerthError('IMAGE_NOT_FOUND', 'pull it'));
    for (let port = world.config.portFirst; port <= world.config.portLast; port++)
      await world.ports.claim(port, 'env-other');
    const result = await dryRun();
    expect(rulesOf(result)).toEqual(['error capacity.image ', 'error capacity.ports ']);
    expect(result.deployable).toBe(false);
    expect(result.composeYaml).not.toBe('');
    for (let port = world.config.portFirst; port <= world.config.portLast; port++)
      await world.ports.release(port, 'env-other');
  });
});

describe('a template that an operator edited', () => {
  let templates: string;
  beforeEach(async () => {
    templates = await mkdtemp(join(tmpdir(), 'berth-templates-'));
    await cp(TEMPLATES, templates, { recursive: true });
  });
  afterEach(async () => {
    await rm(templates, { recursive: true });
  });

  async function edited(from: string, to: string) {
    const path = join(templates, 'docker-compose.mustache');
    const text = await readFile(path, 'utf8');
    expect(text).toContain(from);
    await writeFile(path, text.replace(from, to));
    const { store, ports, leases, engine, config, logger } = world;
    const operations = new EnvOperations({
      store,
      ports,
      leases,
      engine,
      templates: new MustacheTemplates(templates),
      config,
      logger,
    });
    return await operations.dryRun.of(world.request(), never);
  }

  it.each<[string, string, string, string]>([
    [
      'a privileged container',
      '    init: true',
      '    init: true\n    privileged: true',
      'services.app.privileged',
    ],
    [
      'the host’s network',
      '    networks:\n      env: {}',
      '    network_mode: host',
      'services.app.network_mode',
    ],
    [
      'a folder of the host',
      '      - type: {{type}}',
      '      - type: bind\n        source: /etc\n        target: /x\n        read_only: true\n      - type: {{type}}',
      'services.app.volumes.0.source',
    ],
    ['a writable app', 'read_only: {{readOnly}}', 'read_only: false', 'services.app.volumes.0.read_only'],
    ['no memory limit', '    mem_limit: {{memoryLimit}}\n', '', 'services.app.mem_limit'],
    ['more capabilities', 'cap_drop: ["ALL"]', 'cap_drop: []', 'services.app.cap_drop'],
    ['new privileges', 'no-new-privileges:true', 'seccomp:unconfined', 'services.app.security_opt.0'],
    [
      'another container’s name',
      'container_name: {{containerName}}',
      'container_name: env-ffffffffffff',
      'services.app.container_name',
    ],
    ['another log driver', 'driver: json-file', 'driver: syslog', 'services.app.logging.driver'],
    ['a build', '    init: true', '    build: .', 'services.app.build'],
    ['an anchor', '    init: true', '    init: &x true', 'services.app.init'],
    ['a variable of the host', '    init: true', '    init: true\n    user: ${USER}', 'services.app.user'],
    ['a top-level key', 'networks:\n  env:', 'secrets: {}\nnetworks:\n  env:', 'secrets'],
    ['no YAML', '    init: true', '    init: [', 'file'],
  ])('to have %s is refused by key', async (_, from, to, key) => {
    const result = await edited(from, to);
    expect(result.deployable).toBe(false);
    expect(result.findings.map(({ field }) => field)).toContain(key);
    expect(result.findings.every(({ rule }) => rule === 'compose.not_applicable')).toBe(true);
    expect(result.composeYaml).not.toBe('');
    expect(result.steps).not.toEqual([]);
  });

  it('into one that cannot be rendered is refused with the template’s name', async () => {
    const result = await edited('{{/volumes}}', '{{/volume}}');
    expect(result).toMatchObject({ deployable: false, composeYaml: '' });
    expect(result.findings[0]?.message).toContain('docker-compose.mustache');
  });
});
