import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { findGrpcurl, Grpcurl } from './grpcurl.js';

const INVALID_ARGUMENT = 64 + 3;
const NOT_FOUND = 64 + 5;
const UNIMPLEMENTED = 64 + 12;

let daemon: TestDaemon;
let grpcurl: Grpcurl;

beforeAll(async () => {
  const program = await findGrpcurl();
  daemon = await startDaemon();
  grpcurl = new Grpcurl(program, daemon.address);
});

afterAll(() => daemon?.dispose());

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('reflection', () => {
  it('lists the three services, health and reflection', async () => {
    const services = (await grpcurl.ask('list')).trim().split('\n');
    expect(services.sort()).toEqual([
      'berth.v1.EnvService',
      'berth.v1.PoolService',
      'berth.v1.SandboxService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
  });

  it('lists the methods of each service', async () => {
    expect(await grpcurl.ask('list', 'berth.v1.EnvService')).toContain('berth.v1.EnvService.DeployEnv\n');
    expect(await grpcurl.ask('list', 'berth.v1.SandboxService')).toContain(
      'berth.v1.SandboxService.Execute\n',
    );
    expect(await grpcurl.ask('list', 'berth.v1.PoolService')).toContain('berth.v1.PoolService.ListPools\n');
    expect(await grpcurl.ask('list', 'grpc.health.v1.Health')).toContain('grpc.health.v1.Health.Check\n');
  });

  it('describes methods and messages with their comments', async () => {
    const method = await grpcurl.ask('describe', 'berth.v1.SandboxService.Execute');
    expect(method).toContain('// Execute runs code once and streams what happens.');
    expect(method).toContain('returns ( stream .berth.v1.ExecuteResponse )');

    const message = await grpcurl.ask('describe', 'berth.v1.ExecutionLimits');
    expect(message).toContain('// Wall-clock time, in milliseconds. 0: 30000. At most 600000.');
    expect(message).toContain('int64 wall_ms = 1;');
  });

  it.each(['google.rpc.ErrorInfo', 'google.rpc.BadRequest', 'google.rpc.RetryInfo', 'grpc.health.v1.Health'])(
    'describes %s',
    async (symbol) => expect(await grpcurl.ask('describe', symbol)).toContain(`${symbol} is a `),
  );
});

describe('Execute', () => {
  it('prints started, output and ended', async () => {
    const code = "import sys\nprint('out')\nsys.stdout.flush()\nprint('err', file=sys.stderr)\nsys.exit(4)";
    const responses = await grpcurl.responses('berth.v1.SandboxService/Execute', {
      language: 'python',
      code,
    });
    const events = responses.map((response) => (response as { event: Record<string, unknown> }).event);

    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => String(index + 1)));
    expect(events[0]).toMatchObject({
      started: {
        executionId: expect.stringMatching(/^exec-[0-9a-f]{12}$/),
        sandboxId: expect.stringMatching(/^sbx-[0-9a-f]{12}$/),
        servedBy: 'SERVED_BY_POOL',
        poolOutcome: 'POOL_OUTCOME_HIT',
        engine: 'docker',
      },
    });
    expect(events.slice(1, -1)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ output: { stream: 'OUTPUT_STREAM_STDOUT', data: base64('out\n') } }),
        expect.objectContaining({ output: { stream: 'OUTPUT_STREAM_STDERR', data: base64('err\n') } }),
      ]),
    );
    expect(events).toHaveLength(4);
    expect(events.at(-1)).toMatchObject({
      ended: {
        reason: 'END_REASON_EXITED',
        exitCode: 4,
        usage: { wallMs: expect.any(Number), stdoutBytes: '4', stderrBytes: '4' },
      },
    });
  });

  it('runs on by request, is found by its label, read again and cancelled', async () => {
    const labels = { by: 'grpcurl' };
    const request = { language: 'python', code: "print('once')", requestId: 'grpcurl-1', labels };
    const first = await grpcurl.responses('berth.v1.SandboxService/Execute', request);
    const { executionId } = (first[0] as { event: { started: { executionId: string } } }).event.started;
    expect(await grpcurl.responses('berth.v1.SandboxService/AttachExecution', { executionId })).toEqual(
      first,
    );
    const [list] = await grpcurl.responses('berth.v1.SandboxService/ListExecutions', { labels });
    const [get] = await grpcurl.responses('berth.v1.SandboxService/GetExecution', { executionId });
    const [cancel] = await grpcurl.responses('berth.v1.SandboxService/CancelExecution', { executionId });
    expect(list).toEqual({ executions: [(get as { execution: object }).execution] });
    expect(cancel).toEqual(get);
    expect(get).toMatchObject({
      execution: { executionId, requestId: 'grpcurl-1', state: 'EXECUTION_STATE_ENDED', labels },
    });
    const other = await grpcurl.call(
      'berth.v1.SandboxService/GetExecution',
      { executionId },
      { 'berth-tenant': 'another' },
    );
    expect(other.stderr).toContain('EXECUTION_NOT_FOUND');
  });

  it('prints the reason, and the field with its rule, of a bad request', async () => {
    const { exitCode, stdout, stderr } = await grpcurl.call('berth.v1.SandboxService/Execute', {
      language: 'python',
      code: 'print(1)',
      limits: { wallMs: '600001' },
    });
    expect(exitCode).toBe(INVALID_ARGUMENT);
    expect(stdout).toBe('');
    expect(stderr).toContain('Code: InvalidArgument');
    expect(stderr).toContain('"@type": "type.googleapis.com/google.rpc.ErrorInfo"');
    expect(stderr).toContain('"domain": "berth"');
    expect(stderr).toContain('"reason": "INVALID_ARGUMENT"');
    expect(stderr).toContain('"@type": "type.googleapis.com/google.rpc.BadRequest"');
    expect(stderr).toContain('"field": "limits.wall_ms"');
  });
});

describe('errors', () => {
  it('names every field of a request that breaks a rule', async () => {
    const { exitCode, stderr } = await grpcurl.call('berth.v1.EnvService/DeployEnv', {
      userId: '../etc',
      appId: 'x'.repeat(300),
    });
    expect(exitCode).toBe(INVALID_ARGUMENT);
    expect(stderr).toContain('"field": "user_id"');
    expect(stderr).toContain('"field": "app_id"');
  });

  it('refuses a tenant that breaks the rules', async () => {
    const { exitCode, stderr } = await grpcurl.call(
      'berth.v1.EnvService/ListEnvs',
      {},
      { 'berth-tenant': '../other' },
    );
    expect(exitCode).toBe(INVALID_ARGUMENT);
    expect(stderr).toContain('berth-tenant');
  });

  it('says which env there is not', async () => {
    const { exitCode, stderr } = await grpcurl.call('berth.v1.EnvService/GetEnv', {
      envId: 'env-000000000000',
    });
    expect(exitCode).toBe(NOT_FOUND);
    expect(stderr).toContain('"reason": "ENV_NOT_FOUND"');
  });

  it.each(['berth.v1.EnvService/GetUsage', 'berth.v1.SandboxService/StreamTaskLogs'])(
    'says that %s is not built',
    async (method) => {
      const { exitCode, stderr } = await grpcurl.call(method, {});
      expect(exitCode).toBe(UNIMPLEMENTED);
      expect(stderr).toContain('"reason": "NOT_BUILT"');
    },
  );
});

describe('health', () => {
  it.each(['', 'berth.v1.EnvService', 'berth.v1.SandboxService', 'berth.v1.PoolService'])(
    'of "%s" is SERVING',
    async (service) => {
      expect(await grpcurl.responses('grpc.health.v1.Health/Check', { service })).toEqual([
        { status: 'SERVING' },
      ]);
    },
  );

  it('of a service that does not exist is NOT_FOUND', async () => {
    const { exitCode } = await grpcurl.call('grpc.health.v1.Health/Check', { service: 'berth.v1.Nothing' });
    expect(exitCode).toBe(NOT_FOUND);
  });
});

describe('pools', () => {
  it('lists the pool that served', async () => {
    const [answer] = await grpcurl.responses('berth.v1.PoolService/ListPools', {});
    expect(answer).toMatchObject({ pools: [{ poolId: expect.stringMatching(/^pool-[0-9a-f]{8}$/) }] });
  });
});
