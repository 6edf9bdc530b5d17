import { describe, expect, it } from 'vitest';
import type { EngineProcess, ProcessOutput } from '../../../../src/domain/env/exec/engine.js';
import { EnvSessions } from '../../../../src/domain/env/exec/env-sessions.js';
import { checkExecStart, type ExecStart } from '../../../../src/domain/env/exec/request.js';
import type { Env } from '../../../../src/domain/env/model.js';
import { deferred } from '../../../../src/lib/deferred.js';
import { SilentLogger } from '../../../support/silent-logger.js';

const START: ExecStart = {
  tenant: 'default',
  requestId: '',
  envId: 'env-0123456789ab',
  service: '',
  argv: ['id'],
  attach: false,
  terminal: undefined,
  env: {},
  cwd: '',
  user: '',
};

/** A command that says one thing and then waits for its end. */
class FakeProcess implements EngineProcess {
  readonly ended = deferred();
  readonly wrote: string[] = [];
  closed = 0;

  async *output(): AsyncGenerator<ProcessOutput> {
    yield { stream: 'stdout', data: Buffer.from('hello') };
    await this.ended.promise;
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.wrote.push(Buffer.from(bytes).toString());
  }
  async endInput(): Promise<void> {
    this.wrote.push('<end>');
  }
  async resize(): Promise<void> {}
  async signal(name: string): Promise<void> {
    this.wrote.push(name);
  }
  async end() {
    return { exitCode: 3, containerEnded: false, message: '' };
  }
  async close(): Promise<void> {
    this.closed++;
    this.ended.resolve();
  }
}

function world(options: { idleMs?: number; state?: Env['state'] } = {}) {
  const processes: FakeProcess[] = [];
  const uses: string[] = [];
  const begin = async (): Promise<EngineProcess> => {
    const process = new FakeProcess();
    processes.push(process);
    return process;
  };
  const sessions = new EnvSessions({
    engine: { run: begin, attach: begin },
    containers: {
      inspect: async () => [{ id: 'c1', service: 'app', state: 'running', stdinOpen: true }] as never,
    },
    getEnv: async (_, id) => ({ id, state: options.state ?? 'running' }) as Env,
    maxPerEnv: 2,
    idleMs: options.idleMs ?? 60_000,
    openSession: (tenant, envId, detail) => {
      uses.push(`${tenant} ${envId} ${detail}`);
      return { close: () => void uses.push('closed') };
    },
    logger: new SilentLogger(),
  });
  const client = new AbortController();
  return {
    sessions,
    processes,
    uses,
    client,
    open: (more: Partial<ExecStart> = {}) => sessions.open({ ...START, ...more }, client.signal),
  };
}

describe('a session in an env', () => {
  it('tells what the command wrote and how it ended, and counts as use of the env until then', async () => {
    const { open, processes, uses } = world();
    const session = await open();
    await session.input({ kind: 'stdin', data: Buffer.from('a') });
    await session.input({ kind: 'stdin_closed' });
    await session.inputOver();
    await session.input({ kind: 'signal', name: 'SIGTERM' });
    expect(processes[0]!.wrote).toEqual(['a', '<end>', 'SIGTERM']);
    processes[0]!.ended.resolve();
    const output = session.output();
    expect((await output.next()).value).toMatchObject({ stream: 'stdout' });
    expect(await output.next()).toEqual({
      done: true,
      value: { exitCode: 3, containerEnded: false, message: '' },
    });
    await session.close();
    expect(uses).toEqual(['default env-0123456789ab ExecEnv', 'closed']);
  });

  it('ends when nothing comes or goes, and says so', async () => {
    const { open, processes } = world({ idleMs: 20 });
    const session = await open();
    const output = session.output();
    await output.next();
    expect((await output.next()).value).toMatchObject({
      message: expect.stringMatching(/^ended, since nothing/),
    });
    expect(processes[0]!.closed).toBe(1);
  });

  it('ends with its client, once', async () => {
    const { open, processes, client } = world();
    const session = await open();
    client.abort();
    await session.close();
    expect(processes[0]!.closed).toBe(1);
  });

  it('fails with what the client sent that it may not', async () => {
    const { open } = world();
    const session = await open({ attach: true, argv: [] });
    await expect(session.input({ kind: 'signal', name: 'SIGINT' })).rejects.toMatchObject({
      violations: [{ field: 'signal' }],
    });
    const large = { kind: 'stdin', data: Buffer.alloc(256 * 1024 + 1) } as const;
    await expect(session.input(large)).rejects.toMatchObject({ violations: [{ field: 'stdin' }] });
    session.fail(new Error('out of place'));
    const output = session.output();
    await output.next();
    await expect(output.next()).rejects.toThrow('out of place');
  });

  it('gives its place and its request id back, also when it could not begin', async () => {
    const { open, sessions } = world();
    const one = await open({ requestId: 'r1' });
    await expect(open({ requestId: 'r1' })).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    const aborted = AbortSignal.abort();
    const two = await sessions.open(START, aborted);
    await two.close();
    const again = await open();
    await expect(open()).rejects.toMatchObject({ reason: 'OVERLOADED' });
    await Promise.all([one.close(), again.close()]);
    await open({ requestId: 'r1' });
  });

  it.each(['stopped', 'deploying', 'broken', 'destroyed'] as const)(
    'is refused in an env that is %s',
    async (state) => {
      await expect(world({ state }).open()).rejects.toMatchObject({
        reason: 'ENV_STATE',
        metadata: { state },
      });
    },
  );

  it('names everything that is wrong at once', () => {
    const bad: ExecStart = { ...START, argv: ['a\0'], cwd: 'x', user: '../root', requestId: 'a b' };
    expect(() => checkExecStart(bad)).toThrow(
      expect.objectContaining({
        violations: ['request_id', 'argv', 'cwd', 'user'].map((field) =>
          expect.objectContaining({ field: `start.${field}` }),
        ),
      }),
    );
  });
});
