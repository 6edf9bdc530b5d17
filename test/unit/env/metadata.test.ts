import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkMetadata, metadataSchema, parseMetadata } from '../../../src/domain/env/app/metadata.js';
import { BerthError } from '../../../src/domain/errors.js';

function violationsOf(work: () => unknown): { field: string; rule: string }[] {
  try {
    work();
  } catch (error) {
    if (error instanceof BerthError && error.reason === 'APP_INVALID') return error.violations;
    throw error;
  }
  throw new Error('it was accepted');
}

const FULL = {
  name: 'Game',
  description: 'A game',
  runtimeType: 'node',
  baseImage: 'registry.example:5000/team/node:20-slim@sha256:abc',
  containerPort: 8080,
  startCommand: 'node server.js --port "$PORT" | tee log',
  workingDir: '/app/src',
  environment: { GREETING: 'hello\nworld ${NOT_A_VARIABLE}' },
  volumes: [
    { containerPath: '/data' },
    { containerPath: '/srv/x', name: 'x' },
    { containerPath: '/w', hostPath: 'web' },
  ],
  healthCheck: {
    test: ['CMD', 'node', 'check.js'],
    intervalMs: 1000,
    timeoutMs: 500,
    startPeriodMs: 0,
    retries: 2,
  },
  readyPath: '/health',
  readyTimeoutMs: 45_000,
  stopGraceMs: 3_000,
  tty: true,
  limits: { memoryBytes: 268_435_456, cpus: 1.5, maxProcesses: 64 },
};

describe('metadata.json', () => {
  it('takes every key', () => {
    expect(checkMetadata(FULL)).toMatchObject({ ...FULL, healthCheck: { retries: 2 } });
    expect(parseMetadata('{"runtimeType":"node"}')).toEqual({ runtimeType: 'node', volumes: [] });
    expect(checkMetadata({ runtimeType: 'node', healthCheck: { test: 'curl x' } }).healthCheck?.test).toEqual(
      ['CMD-SHELL', 'curl x'],
    );
  });

  it('is refused when it is no JSON, or no object', () => {
    expect(violationsOf(() => parseMetadata('{"runtimeType":'))).toEqual([
      { field: 'metadata.json', rule: expect.stringContaining('is not JSON') },
    ]);
    expect(violationsOf(() => parseMetadata('[]'))).toEqual([
      { field: 'metadata.json', rule: 'must be a JSON object' },
    ]);
  });

  const bad: [string, unknown, string][] = [
    ['runtimeType', undefined, 'runtimeType'],
    ['runtimeType', 5, 'runtimeType'],
    ['name', 'x'.repeat(129), 'name'],
    ['description', 'line\nbreak', 'description'],
    ['baseImage', 'node:20\nprivileged: true', 'baseImage'],
    ['baseImage', '${IMAGE}', 'baseImage'],
    ['baseImage', '', 'baseImage'],
    ['containerPort', 0, 'containerPort'],
    ['containerPort', 65_536, 'containerPort'],
    ['containerPort', '3000', 'containerPort'],
    ['startCommand', '', 'startCommand'],
    ['startCommand', '   ', 'startCommand'],
    ['startCommand', [], 'startCommand'],
    ['startCommand', 'node\0', 'startCommand'],
    ['startCommand', ['node', 'a\u0007'], 'startCommand/1'],
    ['startCommand', 'lone \ud800 surrogate', 'startCommand'],
    ['workingDir', 'app', 'workingDir'],
    ['workingDir', '/app/../etc', 'workingDir'],
    ['environment', { 'A B': 'x' }, 'environment/A B'],
    ['environment', { A: 5 }, 'environment/A'],
    ['environment', { A: 'x\0' }, 'environment/A'],
    ['database', 'shared', 'database'],
    ['database', {}, 'database/provider'],
    ['database', { provider: 'x y' }, 'database/provider'],
    ['database', { provider: 'shared', password: 'x' }, 'database/password'],
    ['volumes', {}, 'volumes'],
    ['volumes', ['/data'], 'volumes/0'],
    ['volumes', [{ containerPath: 'data' }], 'volumes/0/containerPath'],
    ['volumes', [{ containerPath: '/a/../b' }], 'volumes/0/containerPath'],
    ['volumes', [{ containerPath: '/a:b' }], 'volumes/0/containerPath'],
    ['volumes', [{ containerPath: '/' }], 'volumes/0/containerPath'],
    ['volumes', [{ containerPath: '/a', name: 'A b' }], 'volumes/0/name'],
    ['volumes', [{ containerPath: '/a', hostPath: '../etc' }], 'volumes/0/hostPath'],
    ['volumes', [{ containerPath: '/a', hostPath: '/etc' }], 'volumes/0/hostPath'],
    ['volumes', [{ containerPath: '/a', options: 'rw' }], 'volumes/0/options'],
    ['volumes', [{ containerPath: '/a' }, { containerPath: '/a' }], 'volumes/1/containerPath'],
    ['healthCheck', true, 'healthCheck'],
    ['healthCheck', { test: ['node', 'x'] }, 'healthCheck/test'],
    ['healthCheck', { intervalMs: '10s' }, 'healthCheck/intervalMs'],
    ['healthCheck', { retries: 0 }, 'healthCheck/retries'],
    ['healthCheck', { interval: 5 }, 'healthCheck/interval'],
    ['readyPath', 'health', 'readyPath'],
    ['readyPath', '/a b', 'readyPath'],
    ['readyTimeoutMs', 0, 'readyTimeoutMs'],
    ['stopGraceMs', -1, 'stopGraceMs'],
    ['tty', 'yes', 'tty'],
    ['limits', { cpus: 0 }, 'limits/cpus'],
    ['limits', { memoryBytes: 1 }, 'limits/memoryBytes'],
    ['limits', { disk: 1 }, 'limits/disk'],
    ['runtimetype', 'node', 'runtimetype'],
    ['__proto__', 'x', '__proto__'],
  ];
  it.each(bad)('with %s = %j names metadata.json/%s and its rule', (key, value, field) => {
    const text = JSON.stringify(FULL).slice(0, -1) + `,${JSON.stringify(key)}:${JSON.stringify(value)}}`;
    const json = value === undefined ? JSON.stringify({ ...FULL, [key]: undefined }) : text;
    const violations = violationsOf(() => parseMetadata(json));
    expect(violations.map((violation) => violation.field)).toEqual([`metadata.json/${field}`]);
    expect(violations[0]?.rule).not.toMatch(/^Invalid|^$/);
  });
});

/** Every key, and the kinds of JSON values that it takes. */
const TAKES: Record<string, string[]> = {
  runtimeType: ['text'],
  baseImage: ['text'],
  containerPort: ['number'],
  startCommand: ['text', 'list'],
  name: ['text'],
  description: ['text'],
  workingDir: ['text'],
  environment: ['object'],
  'environment/A': ['text'],
  database: ['object'],
  'database/provider': ['text'],
  'database/name': ['text'],
  'database/initSql': ['text'],
  'database/image': ['text'],
  'database/maxConnections': ['number'],
  volumes: ['list'],
  'volumes/0': ['object'],
  'volumes/0/containerPath': ['text'],
  'volumes/0/name': ['text'],
  'volumes/0/hostPath': ['text'],
  healthCheck: ['object'],
  'healthCheck/test': ['text', 'list'],
  'healthCheck/intervalMs': ['number'],
  'healthCheck/timeoutMs': ['number'],
  'healthCheck/startPeriodMs': ['number'],
  'healthCheck/retries': ['number'],
  readyPath: ['text'],
  readyTimeoutMs: ['number'],
  stopGraceMs: ['number'],
  tty: ['flag'],
  limits: ['object'],
  'limits/memoryBytes': ['number'],
  'limits/cpus': ['number'],
  'limits/maxProcesses': ['number'],
};
const VALUES: Record<string, unknown> = {
  text: 'some text',
  number: 1_000,
  flag: true,
  list: ['x'],
  object: { x: 'x' },
  null: null,
};

describe('every key of metadata.json', () => {
  const whole = { ...FULL, environment: { A: 'b' }, database: { provider: 'shared' } };
  const cases = Object.entries(TAKES).flatMap(([key, kinds]) =>
    Object.keys(VALUES)
      .filter((kind) => !kinds.includes(kind))
      .map((kind) => [key, kind] as const),
  );
  it.each(cases)('%s as %s is refused by its name', (key, kind) => {
    const json = structuredClone(whole) as Record<string, unknown>;
    const path = key.split('/');
    const last = path.pop()!;
    const holder = path.reduce((object, part) => object[part] as Record<string, unknown>, json);
    holder[last] = VALUES[kind];
    const violations = violationsOf(() => checkMetadata(json));
    expect(violations.map(({ field }) => field)).toEqual([`metadata.json/${key}`]);
    expect(violations[0]?.rule).not.toMatch(/^Invalid|^$/);
  });

  it('is in this table', () => {
    const known = [...keysOf(metadataSchema)];
    expect(known.length).toBeGreaterThan(20);
    // What an app names by itself has no keys of the schema.
    const free = ['environment/A'];
    expect(
      Object.keys(TAKES)
        .filter((key) => !free.includes(key))
        .sort(),
    ).toEqual(known.sort());
  });
});

/** Every key of a schema, with those of objects and of objects in lists. */
function* keysOf(schema: z.core.$ZodType, before = ''): Generator<string> {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodArray) {
    if (!(unwrapped(inner.element) instanceof z.ZodObject)) return;
    yield `${before}0`;
    yield* keysOf(inner.element, `${before}0/`);
  }
  if (!(inner instanceof z.ZodObject)) return;
  for (const [key, value] of Object.entries(inner.shape as Record<string, z.core.$ZodType>)) {
    yield before + key;
    yield* keysOf(value, `${before}${key}/`);
  }
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrapped(schema.unwrap());
  return schema instanceof z.ZodPipe ? unwrapped(schema.in) : schema;
}
