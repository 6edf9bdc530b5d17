import { describe, expect, it } from 'vitest';
import type { LoadedApp } from '../../../src/domain/env/app/app.js';
import { checkMetadata } from '../../../src/domain/env/app/metadata.js';
import { resolveSpec } from '../../../src/domain/env/app/spec.js';
import type { EnvConfig } from '../../../src/domain/env/config.js';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import { BUILT_IN_RUNTIMES, RuntimeRegistry } from '../../../src/domain/runtime/registry.js';
import { SubnetPlan } from '../../../src/domain/ports/subnets.js';

const CONFIG = {
  readyTimeoutMs: 30_000,
  stopGraceMs: 10_000,
  memoryBytes: 536_870_912,
  cpuMillis: 500,
  processes: 512,
} as EnvConfig;

function resolve(metadata: Record<string, unknown>, files = ['server.js', 'app.py'], folders: string[] = []) {
  const app: LoadedApp = {
    metadata: checkMetadata({ runtimeType: 'node', ...metadata }),
    digest: '',
    topLevelFiles: new Set(files),
    folders: new Set(folders),
    source: { kind: 'files', files: [] },
  };
  const runtime = new RuntimeRegistry().get(app.metadata.runtimeType);
  return resolveSpec(app, runtime, { environment: { FROM: 'request' } }, CONFIG);
}

describe('resolveSpec', () => {
  it('gives a node app its defaults', () => {
    expect(resolve({ environment: { FROM: 'metadata', X: '1' } })).toMatchObject({
      image: 'node:20-slim',
      command: ['node', 'server.js'],
      containerPort: 3000,
      environment: { NODE_ENV: 'production', PORT: '3000', FROM: 'request', X: '1' },
      readiness: { wait: 'http', path: '/', timeoutMs: 30_000 },
      tty: false,
      limits: { memoryBytes: 536_870_912, cpus: 0.5, processes: 512 },
    });
    expect(resolve({ readyPath: '/up' }).healthcheck?.test).toEqual([
      'CMD',
      'node',
      '-e',
      expect.any(String),
      'http://127.0.0.1:3000/up',
    ]);
  });

  it('makes a python app without containerPort a CLI, and with one a web app', () => {
    const cli = resolve({ runtimeType: 'python' });
    expect(cli).toMatchObject({ command: ['python', 'app.py'], tty: true, readiness: { wait: 'started' } });
    expect(cli.containerPort).toBeUndefined();
    expect(cli.healthcheck).toBeUndefined();
    const web = resolve({ runtimeType: 'python', containerPort: 8000 });
    expect(web).toMatchObject({ tty: false, readiness: { wait: 'http' }, environment: { PORT: '8000' } });
  });

  it.each([
    [
      ['app.jar', 'other.jar'],
      ['java', '-XX:MaxRAMPercentage=75', '-jar', 'app.jar'],
    ],
    [
      ['shop-1.0.jar', 'README.md'],
      ['java', '-XX:MaxRAMPercentage=75', '-jar', 'shop-1.0.jar'],
    ],
  ])('starts the jar of a java app with %j', (files, command) => {
    expect(resolve({ runtimeType: 'java' }, files)).toMatchObject({
      image: 'eclipse-temurin:17-jre',
      command,
      containerPort: 8080,
      environment: { PORT: '8080', SERVER_PORT: '8080' },
      readiness: { wait: 'http' },
      capabilities: [],
    });
  });

  it('wants a startCommand where two jars might be the app', () => {
    expect(() => resolve({ runtimeType: 'java' }, ['a.jar', 'b.jar'])).toThrow(/startCommand/);
  });

  it('serves the folder of an nginx app, and lets nginx give up root', () => {
    const spec = resolve({ runtimeType: 'nginx', readyPath: '/a b"$(c)?d=\'e'.replace(' ', '%20') }, [
      'index.html',
    ]);
    expect(spec).toMatchObject({
      image: 'nginx:stable',
      command: ['nginx', '-g', 'daemon off;'],
      containerPort: 80,
      mountPath: '/usr/share/nginx/html',
      capabilities: ['CHOWN', 'SETGID', 'SETUID'],
    });
    expect(spec.healthcheck?.test.slice(0, 3)).toEqual(['CMD', 'bash', '-c']);
    expect(spec.healthcheck?.test.slice(-3)).toEqual(['127.0.0.1', '80', '/a%20b%22$(c)?d=%27e']);
  });

  it('waits for Docker only when the app brought a check of its own', () => {
    expect(resolve({ healthCheck: { test: 'node check.js' } }).readiness.wait).toBe('health');
    expect(resolve({ healthCheck: { test: ['NONE'] } }).readiness.wait).toBe('http');
    expect(resolve({ healthCheck: { retries: 5 } }).readiness.wait).toBe('http');
  });

  it.each([
    ['node server.js --port 80', ['node', 'server.js', '--port', '80']],
    ['  node   server.js ', ['node', 'server.js']],
    [
      ['node', 'a b; $(c)'],
      ['node', 'a b; $(c)'],
    ],
    ['node a.js; rm -rf $HOME', ['sh', '-c', 'node a.js; rm -rf $HOME']],
    ['echo "a  b"', ['sh', '-c', 'echo "a  b"']],
    ['a && b | c > d', ['sh', '-c', 'a && b | c > d']],
    ['line one\nline two', ['sh', '-c', 'line one\nline two']],
    ['cat *.txt ~', ['sh', '-c', 'cat *.txt ~']],
  ])('runs the startCommand %j as %j', (startCommand, command) => {
    expect(resolve({ startCommand }).command).toEqual(command);
  });

  it.each([
    [{}, ['README.md'], 'startCommand'],
    [{ volumes: [{ containerPath: '/app' }] }, undefined, 'volumes/0/containerPath'],
    [{ volumes: [{ containerPath: '/proc/x' }] }, undefined, 'volumes/0/containerPath'],
    [{ volumes: [{ containerPath: '/app/data' }] }, undefined, 'volumes/0/containerPath'],
    [{ volumes: [{ containerPath: '/web', hostPath: 'public' }] }, undefined, 'volumes/0/hostPath'],
    [{ volumes: [{ containerPath: '/a.b' }, { containerPath: '/a_b' }] }, undefined, 'volumes/1/name'],
  ])('refuses %j with %j', (metadata, files, field) => {
    expect(() => resolve(metadata, files)).toThrow(expect.objectContaining({ reason: 'APP_INVALID' }));
    try {
      resolve(metadata, files);
    } catch (error) {
      expect(error).toMatchObject({ violations: [{ field: `metadata.json/${field}` }] });
    }
  });

  it('takes a volume inside the app where the app has the folder', () => {
    const spec = resolve({ volumes: [{ containerPath: '/app/data' }] }, ['server.js'], ['data']);
    expect(spec.volumes).toEqual([{ kind: 'named', name: 'app-data', containerPath: '/app/data' }]);
  });
});

describe('what can be added', () => {
  it('a runtime is one object more', () => {
    const php = { ...BUILT_IN_RUNTIMES[0]!, name: 'php', defaultImage: 'php:8' };
    expect(new RuntimeRegistry([...BUILT_IN_RUNTIMES, php]).get('php')).toBe(php);
    expect(() => new RuntimeRegistry().get('php')).toThrow(/must be one of: java, nginx, node, python/);
  });

  it('a database that no provider gives is refused, naming the field', () => {
    const registry = new DatabaseProviderRegistry();
    expect(registry.select(undefined)).toBeUndefined();
    expect(() => registry.select({ provider: 'shared' })).toThrow(
      expect.objectContaining({
        reason: 'APP_INVALID',
        violations: [expect.objectContaining({ field: 'metadata.json/database/provider' })],
      }),
    );
  });
});

describe('SubnetPlan', () => {
  it('gives each port of the range a subnet of its own', () => {
    const plan = new SubnetPlan('10.213.0.0/17', 18_000);
    const subnets = Array.from({ length: 2_000 }, (_, n) => plan.forPort(18_000 + n));
    expect(subnets.slice(0, 2)).toEqual(['10.213.0.0/28', '10.213.0.16/28']);
    expect(subnets.at(-1)).toBe('10.213.124.240/28');
    expect(new Set(subnets).size).toBe(2_000);
  });

  it('says when the range is too small, or no range', () => {
    const plan = new SubnetPlan('192.168.7.77/27', 18_000);
    expect(plan.forPort(18_001)).toBe('192.168.7.80/28');
    expect(() => plan.forPort(18_002)).toThrow(expect.objectContaining({ reason: 'SUBNET_NONE_FREE' }));
    expect(() => new SubnetPlan('10.0.0.0/30', 18_000)).toThrow(/not an IPv4 range/);
  });
});
