import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, configKeys, loadConfig } from '../../../src/config/load.js';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-config-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, 'berth.yaml');
  writeFileSync(path, text);
  return path;
}

function problemsOf(environment: Record<string, string>): string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('has a default, a meaning and a variable for every key', () => {
    const keys = configKeys();
    expect(keys.length).toBeGreaterThan(40);
    for (const key of keys) expect(key.meaning, key.path).toMatch(/\w{3}/);
    expect(new Set(keys.map((key) => key.variable)).size).toBe(keys.length);
    expect(loadConfig({}).grpc.address).toBe('127.0.0.1:50051');
  });

  it('lets the environment win over the file', () => {
    const path = file('pool:\n  max: 4\n  initial: 2\ngrpc:\n  address: 127.0.0.1:1\n');
    const config = loadConfig({ BERTH_CONFIG: path, BERTH_POOL_MAX: '7' });
    expect(config.pool.max).toBe(7);
    expect(config.pool.initial).toBe(2);
    expect(config.grpc.address).toBe('127.0.0.1:1');
  });

  it('names every unknown and bad key at once', () => {
    const path = file('pool:\n  maxx: 4\nnonsense: 1\n');
    const problems = problemsOf({
      BERTH_CONFIG: path,
      BERTH_GRPC_ADRESS: 'x:1',
      BERTH_ENV_PORT_FIRST: 'many',
      BERTH_HTTP_ADDRESS: 'nowhere',
    });
    expect(problems.join('\n')).toContain('BERTH_GRPC_ADRESS: no such key (meant BERTH_GRPC_ADDRESS?)');
    expect(problems.join('\n')).toContain('pool.maxx: no such key');
    expect(problems.join('\n')).toContain('nonsense: no such key');
    expect(problems.join('\n')).toContain('BERTH_ENV_PORT_FIRST: must be a whole number');
    expect(problems.join('\n')).toContain('BERTH_HTTP_ADDRESS: must be host:port');
  });

  it('refuses an owner that would lead out of its own directory', () => {
    for (const owner of ['..', '', 'a/b', '-x', 'x'.repeat(101)])
      expect(problemsOf({ BERTH_OWNER: owner })[0]).toMatch(/^BERTH_OWNER: must be 1 to 100 letters/);
    expect(problemsOf({ BERTH_OWNER: 'berth-2.test_A' })).toEqual([]);
  });

  it('refuses keys that contradict each other', () => {
    expect(problemsOf({ BERTH_ENV_PORT_FIRST: '19000', BERTH_ENV_PORT_LAST: '18000' })).toEqual([
      'env.portFirst: must not be above env.portLast',
    ]);
    expect(problemsOf({ BERTH_DATABASE_URL: 'postgres://x' })[0]).toMatch(
      /^BERTH_DATABASE_URL|^database.url/,
    );
  });

  it('says so when the file is missing or no mapping', () => {
    expect(problemsOf({ BERTH_CONFIG: join(directory, 'none.yaml') })[0]).toContain('ENOENT');
    expect(problemsOf({ BERTH_CONFIG: file('- a\n- b\n') })[0]).toContain('must be a mapping');
  });
});
