import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { findGo, mustRun, runInModule } from './go.js';

/** Compiling gRPC for Go takes a while on a machine that never did. */
const COMPILE_MS = 300_000;
const SAMPLE_APPS = resolve(import.meta.dirname, '../../../templates/apps');

let go: string;

beforeAll(async () => {
  go = await findGo();
});

describe('the module', () => {
  it('is formatted', async () => {
    const gofmt = join(dirname(go), 'gofmt');
    expect(await mustRun([gofmt, '-l', 'berth', 'examples'])).toBe('');
  });

  it(
    'is clean for vet, end-to-end tests included',
    () => mustRun([go, 'vet', '-tags', 'e2e', './...']),
    COMPILE_MS,
  );
});

describe('against a daemon', () => {
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await startDaemon();
  });

  afterAll(() => daemon?.dispose());

  it(
    'passes its end-to-end tests',
    async () => {
      const output = await mustRun(
        [go, 'test', '-tags', 'e2e', '-run', 'E2E', '-count', '1', '-v', './berth'],
        {
          BERTH_ADDRESS: daemon.address,
        },
      );
      expect(output).not.toContain('--- SKIP');
      expect(output).toContain('--- PASS: TestE2EADeploymentIsFollowedOverLostConnections');
    },
    COMPILE_MS,
  );

  it('has an example that runs code and deploys a folder', async () => {
    const output = await mustRun([go, 'run', './examples/hello', join(SAMPLE_APPS, 'hello-python')], {
      BERTH_ADDRESS: daemon.address,
    });
    expect(output).toMatch(/^hello from 3\.11/);
    expect(output).toMatch(
      /execution exec-[0-9a-f]{12}: exited, exit code 0, [\d.]+ ms, [1-9]\d* bytes at most, pool hit/,
    );

    const steps = [...output.matchAll(/^\[ *(\d+)\/(\d+)\] \w+/gm)];
    const total = Number(steps[0]?.[2]);
    expect(steps.map(([, index]) => Number(index))).toEqual(Array.from({ length: total }, (_, i) => i + 1));
    expect(total).toBeGreaterThan(5);

    expect(output).toMatch(/^deployed env-[0-9a-f]{12} at http:\/\/localhost:\d+$/m);
    expect(output).toMatch(/^it says 200: Hello from Python 3\.11/m);
    expect(output).toMatch(/^log app: listening on 8000$/m);
    expect(output).toMatch(/^destroyed env-[0-9a-f]{12}$/m);
  });

  it('says so at once where no daemon is', async () => {
    const { exitCode, stderr } = await runInModule([
      go,
      'run',
      './examples/hello',
      '-address',
      '127.0.0.1:1',
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^berth: Unavailable: .*connection refused/);
  });
});
