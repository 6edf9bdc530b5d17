import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DockerCalls } from '../../../src/engine/docker/docker-calls.js';
import { DockerError } from '../../../src/engine/docker/docker-error.js';
import { isRuntimeGone, OciRuntime, ociRuntimeName } from '../../../src/engine/docker/oci-runtime.js';
import { SilentLogger } from '../../support/silent-logger.js';

const HOUR_MS = 60 * 60_000;

describe('the name of the runtime', () => {
  it.each([
    ['crun where it is there', ['crun', 'runc'], 'runc', '', 'crun'],
    ["Docker's default where it is not", ['runc', 'runsc'], 'runc', '', undefined],
    [
      'the default that somebody chose, although crun is there',
      ['crun', 'kata', 'runc'],
      'kata',
      '',
      undefined,
    ],
    ['crun as the default of Docker', ['crun', 'runc'], 'crun', '', undefined],
    ['runc as configured', ['crun', 'runc'], 'runc', 'runc', 'runc'],
    ['another as configured', ['crun', 'kata', 'runc'], 'runc', 'kata', 'kata'],
  ])('is %s', (_, runtimes, defaultRuntime, configured, expected) => {
    expect(ociRuntimeName({ runtimes, defaultRuntime }, configured)).toBe(expected);
  });

  it('is an error that says what to do where Docker does not have the configured one', () => {
    expect(() => ociRuntimeName({ runtimes: ['runc'], defaultRuntime: 'runc' }, 'youki')).toThrow(
      expect.objectContaining({
        reason: 'SANDBOX_CREATE_FAILED',
        message: expect.stringMatching(/youki.*only runc.*daemon\.json.*BERTH_SANDBOX_OCI_RUNTIME/s),
      }),
    );
  });
});

/** A Docker that has these runtimes, of which some fail in these words. */
class FakeDocker {
  readonly logger = new SilentLogger();
  readonly created: (string | undefined)[] = [];
  asked = 0;
  away = false;
  words: Record<string, string> = {};

  constructor(public runtimes: string[]) {}

  runtime(configured = ''): OciRuntime {
    const run = async (call: { op: string }): Promise<unknown> => {
      if (call.op !== 'info') throw new Error(`nobody expected ${call.op}`);
      this.asked++;
      if (this.away) throw new DockerError({ code: 'unreachable', cause: 'refused', message: 'away' });
      return { runtimes: this.runtimes, defaultRuntime: 'runc' };
    };
    return new OciRuntime({ calls: { run } as Pick<DockerCalls, 'run'>, configured, logger: this.logger });
  }

  create = async (runtime: string | undefined): Promise<string> => {
    this.created.push(runtime);
    const message = this.words[runtime ?? 'default'];
    if (message !== undefined) throw new DockerError({ code: 'docker', status: 500, message });
    return runtime ?? 'default';
  };

  get warnings(): object[] {
    return this.logger.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields);
  }
}

const HYBRID =
  'failed to create shim task: OCI runtime create failed: cgroups in hybrid mode not supported, drop all controllers from cgroupv2: unknown';

describe('a runtime chosen here', () => {
  afterEach(() => vi.useRealTimers());

  it('is proven when a container has started under it, until it fails or Docker was away', async () => {
    const docker = new FakeDocker(['crun', 'runc']);
    const runtime = docker.runtime();
    expect(runtime.proven).toBeUndefined();
    await runtime.use(docker.create);
    expect(runtime.proven).toBe('crun');
    runtime.forget();
    expect(runtime.proven).toBeUndefined();
    await runtime.use(docker.create);
    docker.words = { crun: HYBRID };
    await runtime.use(docker.create);
    expect(runtime.proven).toBeUndefined();
  });

  it('is not proven for others where it was configured for sandboxes', async () => {
    const docker = new FakeDocker(['crun', 'kata', 'runc']);
    const runtime = docker.runtime('kata');
    await runtime.use(docker.create);
    expect(runtime.proven).toBeUndefined();
  });

  it('is gone where Docker says that it does not know it', () => {
    const said = (message: string): DockerError => new DockerError({ code: 'docker', status: 400, message });
    expect(isRuntimeGone(said('unknown or invalid runtime name: crun'))).toBe(true);
    expect(isRuntimeGone(said('Unknown runtime specified crun'))).toBe(true);
    expect(isRuntimeGone(said(HYBRID))).toBe(false);
  });

  it('is asked for once, and again after Docker was away', async () => {
    const docker = new FakeDocker(['crun', 'runc']);
    const runtime = docker.runtime();
    const both = await Promise.all([runtime.use(docker.create), runtime.use(docker.create)]);
    expect([...both, await runtime.use(docker.create)]).toEqual(['crun', 'crun', 'crun']);
    expect(docker.asked).toBe(1);
    expect(docker.logger.lines).toEqual([
      expect.objectContaining({ level: 'info', fields: { event: 'sandbox_runtime', runtime: 'crun' } }),
    ]);
    docker.runtimes = ['runc'];
    runtime.forget();
    expect(await runtime.use(docker.create)).toBe('default');
    expect(docker.logger.lines[1]?.fields).toEqual({ event: 'sandbox_runtime', runtime: 'runc' });
  });

  it('is asked for anew when Docker did not answer', async () => {
    const docker = new FakeDocker(['crun', 'runc']);
    const runtime = docker.runtime();
    docker.away = true;
    await expect(runtime.use(docker.create)).rejects.toMatchObject({ failure: { code: 'unreachable' } });
    docker.away = false;
    expect(await runtime.use(docker.create)).toBe('crun');
  });

  it.each([
    HYBRID,
    'Unknown runtime specified crun',
    'unknown or invalid runtime name: crun',
    'failed to create shim: OCI runtime create failed: unable to retrieve OCI runtime error: fork/exec /usr/bin/crun: no such file or directory: unknown',
  ])('that does not work gives way to the default, with one warning: %s', async (reason) => {
    const docker = new FakeDocker(['crun', 'runc']);
    docker.words = { crun: reason };
    const runtime = docker.runtime();
    const both = await Promise.all([runtime.use(docker.create), runtime.use(docker.create)]);
    expect([...both, await runtime.use(docker.create)]).toEqual(['default', 'default', 'default']);
    expect(docker.created).toEqual(['crun', 'crun', undefined, undefined, undefined]);
    expect(docker.warnings).toEqual([{ event: 'sandbox_runtime_refused', runtime: 'crun', reason }]);
  });

  it('that failed for once is tried again an hour later, or when Docker comes back', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const docker = new FakeDocker(['crun', 'runc']);
    const runtime = docker.runtime();
    const fail = async (): Promise<void> => {
      docker.words = { crun: HYBRID };
      expect(await runtime.use(docker.create)).toBe('default');
      docker.words = {};
    };
    await fail();
    vi.advanceTimersByTime(HOUR_MS - 1);
    expect(await runtime.use(docker.create)).toBe('default');
    vi.advanceTimersByTime(1);
    expect(await runtime.use(docker.create)).toBe('crun');
    await fail();
    runtime.forget();
    expect(await runtime.use(docker.create)).toBe('crun');
  });

  it('is not to blame for an image that fails under the default as well', async () => {
    const docker = new FakeDocker(['crun', 'runc']);
    docker.words = { crun: 'OCI runtime create failed: no /berth/runner', default: 'no /berth/runner' };
    const runtime = docker.runtime();
    await expect(runtime.use(docker.create)).rejects.toThrow(/^no \/berth\/runner$/);
    docker.words = {};
    expect(await runtime.use(docker.create)).toBe('crun');
    expect(docker.warnings).toEqual([]);
  });

  it('is not tried twice for a failure of another kind', async () => {
    const docker = new FakeDocker(['crun', 'runc']);
    docker.words = { crun: 'no space left on device' };
    await expect(docker.runtime().use(docker.create)).rejects.toThrow('no space left on device');
    expect(docker.created).toEqual(['crun']);
  });
});

describe('a runtime that was configured', () => {
  it('is an error when it does not work, and Docker is asked anew for the next', async () => {
    const docker = new FakeDocker(['crun', 'runc']);
    docker.words = { crun: 'Unknown runtime specified crun' };
    const runtime = docker.runtime('crun');
    await expect(runtime.use(docker.create)).rejects.toThrow('Unknown runtime specified crun');
    docker.runtimes = ['runc'];
    await expect(runtime.use(docker.create)).rejects.toMatchObject({ reason: 'SANDBOX_CREATE_FAILED' });
    docker.runtimes = ['crun', 'runc'];
    docker.words = {};
    expect(await runtime.use(docker.create)).toBe('crun');
    expect(docker.created).toEqual(['crun', 'crun']);
  });
});
