import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AppSpec } from '../../../src/domain/env/app/spec.js';
import { readCompose } from '../../../src/domain/env/compose/check.js';
import type { ComposeProject } from '../../../src/domain/env/compose/model.js';
import { readinessOf } from '../../../src/domain/env/compose/readiness-label.js';
import { COMPOSE_TEMPLATE, composeEscape, composeView } from '../../../src/domain/env/compose/view.js';
import { BerthError } from '../../../src/domain/errors.js';
import { MustacheTemplates } from '../../../src/templates/mustache-templates.js';

const TEMPLATES = join(import.meta.dirname, '../../../templates');
const ENV_ID = 'env-0123456789ab';
const BOUNDS = { envId: ENV_ID, mountable: ['/envs/e', '/apps/hello'] };

const SPEC: AppSpec = {
  runtime: 'node',
  image: 'node:20-slim',
  command: ['node', 'server.js'],
  containerPort: 3000,
  workingDir: '/app',
  mountPath: '/app',
  volumes: [
    { kind: 'named', name: 'data', containerPath: '/data' },
    { kind: 'app_folder', hostPath: 'web', containerPath: '/web' },
  ],
  environment: { PORT: '3000', APP_PORT: 'not mine' },
  healthcheck: {
    test: ['CMD', 'node', '-e', "x('$y')"],
    intervalMs: 1500,
    timeoutMs: 5000,
    startPeriodMs: 0,
    retries: 3,
  },
  readiness: { wait: 'http', path: '/', timeoutMs: 30_000 },
  tty: false,
  capabilities: [],
  stopGraceMs: 10_000,
  limits: { memoryBytes: 512 * 1024 * 1024, cpus: 0.5, processes: 512 },
};

function render(spec: Partial<AppSpec> = {}): string {
  const view = composeView({
    env: { id: ENV_ID, appDigest: 'sha256:abc', restartPolicy: 'unless_stopped' },
    spec: { ...SPEC, ...spec },
    appDirectory: '/apps/hello',
    port: 18_003,
    bindHost: '127.0.0.1',
    subnet: '10.213.0.48/28',
    database: undefined,
  });
  return new MustacheTemplates(TEMPLATES).render(COMPOSE_TEMPLATE, view, composeEscape);
}

function read(text: string): ComposeProject {
  return readCompose(text, '/envs/e/docker-compose.yml', BOUNDS);
}

/** Keys that a file is refused for. */
function refusedKeys(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof BerthError && error.reason === 'COMPOSE_INVALID') {
      for (const { field, rule } of error.violations) expect(error.message).toContain(`${field} ${rule}`);
      return error.violations.map((violation) => violation.field);
    }
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the rendered compose file', () => {
  it('is what was meant, with limits and hardening', () => {
    const project = read(render());
    expect(project).toMatchObject({
      name: ENV_ID,
      workingDir: '/envs/e',
      networks: [{ key: 'env', name: `${ENV_ID}-net`, subnet: '10.213.0.48/28', external: false }],
      volumes: [{ key: 'data', name: `${ENV_ID}_data` }],
    });
    expect(project.services).toEqual([
      expect.objectContaining({
        name: 'app',
        containerName: ENV_ID,
        image: 'node:20-slim',
        command: ['node', 'server.js'],
        environment: { PORT: '3000', APP_PORT: '18003', CONTAINER_PORT: '3000' },
        ports: [{ hostIp: '127.0.0.1', hostPort: 18_003, containerPort: 3000, protocol: 'tcp' }],
        mounts: [
          { type: 'bind', source: '/apps/hello', target: '/app', readOnly: true },
          { type: 'volume', source: 'data', target: '/data', readOnly: false },
          { type: 'bind', source: '/apps/hello/web', target: '/web', readOnly: true },
        ],
        healthcheck: {
          test: ['CMD', 'node', '-e', "x('$y')"],
          intervalMs: 1500,
          timeoutMs: 5000,
          startPeriodMs: 0,
          retries: 3,
        },
        memoryBytes: 536_870_912,
        cpus: 0.5,
        pidsLimit: 512,
        capDrop: ['ALL'],
        securityOpt: ['no-new-privileges:true'],
        restart: 'unless-stopped',
        stopGraceMs: 10_000,
        logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
        init: true,
      }),
    ]);
    expect(readinessOf(project)).toEqual(SPEC.readiness);
  });

  it('of a CLI has a terminal and no port, health check or restart', () => {
    const project = read(
      render({ containerPort: undefined, tty: true, healthcheck: undefined, volumes: [] }),
    );
    expect(project.volumes).toEqual([]);
    expect(project.services[0]).toMatchObject({ tty: true, stdinOpen: true, ports: [], restart: 'no' });
    expect(project.services[0]?.healthcheck).toBeUndefined();
  });

  it('uses every variable of the seed', () => {
    const template = readFileSync(join(TEMPLATES, 'docker-compose.mustache'), 'utf8');
    const missing =
      'baseImage containerName ports volumes hostPath containerPath environment workingDir ttyEnabled stdinOpen dependsOn dependsOnList healthCheck healthCheckTest additionalServices networkName databaseNetwork'
        .split(' ')
        .filter((name) => !new RegExp(`\\{[#^]?${name}\\}`).test(template));
    expect(missing).toEqual([]);
    const view = composeView({
      env: { id: ENV_ID, appDigest: '', restartPolicy: 'unless_stopped' },
      spec: SPEC,
      appDirectory: '/a',
      port: 18_000,
      bindHost: '::1',
      subnet: '10.213.0.0/28',
      database: undefined,
    });
    expect(view).toMatchObject({ hostPort: 18_000, containerPort: 3000, ports: '[::1]:18000:3000' });
  });

  it.each([
    'x\nprivileged: true',
    'x\r\n    privileged: true',
    '"\n    privileged: true #',
    '\'quoted\' "double" \\back\\',
    '${HOME} $HOME $$ $',
    '{{#x}} {{{y}}}',
    '日本語 \u{1f600} \u2028 \u2029 \u0085 \ufeff',
    '- a: &b *b !!tag',
    'yes',
    '0755',
    '',
    '# comment',
    'tab\there',
    'x'.repeat(100_000),
  ])('keeps the value %j one scalar, wherever it stands', (value) => {
    const project = read(
      render({
        environment: { VALUE: value },
        command: ['echo', value],
        healthcheck: { ...SPEC.healthcheck!, test: ['CMD', value] },
      }),
    );
    const [app] = project.services;
    expect(app?.environment['VALUE']).toBe(value);
    expect(app?.command).toEqual(['echo', value]);
    expect(app?.healthcheck?.test).toEqual(['CMD', value]);
    expect(project.services.length).toBe(1);
  });

  it('has a hash of the service, whatever the order of its keys', () => {
    const hash = (text: string) => read(text).services[0]?.configHash;
    const text = render();
    expect(hash(text)).toMatch(/^[0-9a-f]{64}$/);
    const moved = text
      .replace('    init: true\n', '')
      .replace('    mem_limit:', '    init: true\n    mem_limit:');
    expect(moved).not.toBe(text);
    expect(hash(moved)).toBe(hash(text));
    expect(hash(render({ command: ['node', 'other.js'] }))).not.toBe(hash(text));
  });
});

describe('a compose file outside the subset', () => {
  const base = render();
  const edited = (find: string | RegExp, replacement: string) => {
    const text = base.replace(find, replacement);
    if (text === base) throw new Error(`nothing to edit: ${String(find)}`);
    return text;
  };
  it.each([
    [
      'an unknown key',
      edited('    init: true', '    init: true\n    privileged: true'),
      ['services.app.privileged'],
    ],
    ['a key at the top', `${base}\nsecrets: {}\n`, ['secrets']],
    ['a variable', edited('"node:20-slim"', '"${IMAGE}"'), ['services.app.image']],
    ['a bare variable', edited('"node:20-slim"', '$IMAGE'), ['services.app.image']],
    ['a variable as a key', edited('"PORT": "3000"', '"$PORT": "3000"'), ['services.app.environment.$PORT']],
    [
      'an alias',
      edited('"node:20-slim"', '&x "node:20-slim"\n    user: *x'),
      ['services.app.image', 'services.app.user'],
    ],
    ['a tag', edited('"node:20-slim"', '!!binary "aGk="'), ['services.app.image']],
    ['a double key', edited('    init: true', '    init: true\n    init: false'), ['file']],
    ['no YAML', 'a: [', ['file']],
    ['a list', '- a', ['file']],
    ['two documents', `${base}\n---\na: b\n`, ['file']],
    ['more swap', edited(/memswap_limit: .*/, 'memswap_limit: 1g'), ['services.app.memswap_limit']],
    ['no limit', edited(/ {4}mem_limit: .*\n/, ''), ['services.app.mem_limit']],
    ['kept capabilities', edited('cap_drop: ["ALL"]', 'cap_drop: []'), ['services.app.cap_drop']],
    [
      'an added capability',
      edited('    init: true', '    init: true\n    cap_add: ["SYS_ADMIN"]'),
      ['services.app.cap_add.0'],
    ],
    ['no log rotation', edited(/ {8}max-size: .*\n/, ''), ['services.app.logging.options.max-size']],
    [
      'a mount of the host',
      edited('source: "/apps/hello"', 'source: "/"'),
      ['services.app.volumes.0.source'],
    ],
    [
      'a mount beside',
      edited('source: "/apps/hello"', 'source: "/apps/hello2"'),
      ['services.app.volumes.0.source'],
    ],
    [
      'a mount that climbs',
      edited('source: "/apps/hello"', 'source: "/apps/hello/../x"'),
      ['services.app.volumes.0.source'],
    ],
    ['a writable mount', edited('read_only: true', 'read_only: false'), ['services.app.volumes.0.read_only']],
    ['an unknown volume', edited('source: "data"', 'source: "other"'), ['services.app.volumes.1.source']],
    ['another project', edited(`name: "${ENV_ID}"`, 'name: "other"'), ['name']],
    ["another env's volume", edited(`"${ENV_ID}_data"`, '"env-ffffffffffff_data"'), ['volumes.data.name']],
    ["another env's network", edited(`"${ENV_ID}-net"`, '"env-ffffffffffff-net"'), ['networks.env.name']],
    ['a port on all addresses', edited('"127.0.0.1:18003:3000"', '"18003:3000"'), ['services.app.ports.0']],
    [
      'a duration that is none',
      edited('interval: "1500ms"', 'interval: "soon"'),
      ['services.app.healthcheck.interval'],
    ],
  ])('%s: names the key', (_, text, keys) => {
    expect(refusedKeys(text)).toEqual(keys);
  });
});
