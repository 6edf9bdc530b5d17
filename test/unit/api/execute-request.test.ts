import { describe, expect, it } from 'vitest';
import { ExecuteRequest } from '../../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import { toExecutionRequest, type ExecuteDefaults } from '../../../src/api/execute-request.js';
import { BerthError } from '../../../src/domain/errors.js';
import { Languages } from '../../../src/domain/sandbox/languages.js';

const DEFAULTS: ExecuteDefaults = {
  wallMs: 30_000,
  maxWallMs: 600_000,
  outputBytes: 1_000_000,
  maxOutputBytes: 2_000_000,
  maxMemoryBytes: 1 << 30,
  maxCpuMillis: 2_000,
  maxProcesses: 256,
  maxTmpfsBytes: 64 << 20,
  maxCpuTimeMs: 60_000,
  maxFileBytes: 1 << 20,
  languages: new Languages([{ name: 'python', version: '3.11', image: 'sandbox:1', entry: 'main.py' }]),
};

type Partial_ = Parameters<typeof ExecuteRequest.fromPartial>[0];

function check(message: Partial_) {
  return toExecutionRequest(ExecuteRequest.fromPartial(message), 'default', DEFAULTS);
}

function fieldsOf(message: Partial_): string[] {
  try {
    check(message);
  } catch (error) {
    if (error instanceof BerthError) return error.violations.map((v) => v.field);
    throw error;
  }
  return [];
}

const code = { $case: 'code' as const, value: 'print(1)' };

const limited = (limits: NonNullable<Partial_['limits']>): Partial_ => ({
  language: 'python',
  source: code,
  limits,
});

describe('toExecutionRequest', () => {
  it('fills in what the request leaves out', () => {
    const request = check({ language: 'python', source: code });
    expect(request).toMatchObject({ entry: 'main.py', cwd: '/workspace', isolation: 'reuse', argv: [] });
    expect(request.limits).toMatchObject({ wallMs: 30_000, outputBytes: 1_000_000, memoryBytes: 0 });
  });

  it.each(['/workspace', '/tmp/a', '/dev/shm'])('takes %s as a working directory', (cwd) => {
    expect(check({ language: 'python', source: code, cwd }).cwd).toBe(cwd);
  });

  it.each<[string, Partial_, string]>([
    ['empty code', { language: 'python', source: { $case: 'code', value: ' \n' } }, 'code'],
    ['no source', { language: 'python' }, 'code'],
    ['unknown language', { language: 'cobol', source: code }, 'language'],
    ['unknown version', { language: 'python', languageVersion: '3.1', source: code }, 'language_version'],
    ['no language', { source: code }, 'language'],
    [
      'wall limit above the maximum',
      { language: 'python', source: code, limits: { wallMs: 600_001 } },
      'limits.wall_ms',
    ],
    [
      'negative limit',
      { language: 'python', source: code, limits: { outputBytes: -1 } },
      'limits.output_bytes',
    ],
    [
      'memory below the least',
      { language: 'python', source: code, limits: { memoryBytes: 1 } },
      'limits.memory_bytes',
    ],
    ['more CPU than may be asked for', limited({ cpus: 2.5 }), 'limits.cpus'],
    ['more CPU time than may be asked for', limited({ cpuMs: 60_001 }), 'limits.cpu_ms'],
    ['more processes than may be asked for', limited({ maxProcesses: 257 }), 'limits.max_processes'],
    ['more scratch space than may be asked for', limited({ scratchBytes: 65 << 20 }), 'limits.scratch_bytes'],
    ['larger files than may be asked for', limited({ fileBytes: 1 << 21 }), 'limits.file_bytes'],
    ['durable without a request id', { language: 'python', source: code, durable: true }, 'request_id'],
    [
      'too many labels',
      {
        language: 'python',
        source: code,
        labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])),
      },
      'labels',
    ],
    [
      'a label that is too long',
      { language: 'python', source: code, labels: { a: 'x'.repeat(129) } },
      'labels["a"]',
    ],
    [
      'absolute file',
      { language: 'python', source: code, files: [{ path: '/etc/passwd' }] },
      'files[0].path',
    ],
    ['climbing file', { language: 'python', source: code, files: [{ path: 'a/../../b' }] }, 'files[0].path'],
    ['NUL in a file name', { language: 'python', source: code, files: [{ path: 'a\0b' }] }, 'files[0].path'],
    [
      'file given twice',
      { language: 'python', source: code, files: [{ path: 'a' }, { path: 'a' }] },
      'files[1].path',
    ],
    ['climbing entry', { language: 'python', source: code, entry: '../x.py' }, 'entry'],
    ['working directory elsewhere', { language: 'python', source: code, cwd: '/proc/self/fd/7' }, 'cwd'],
    ['climbing working directory', { language: 'python', source: code, cwd: '/workspace/../etc' }, 'cwd'],
    ['bad variable name', { language: 'python', source: code, env: { 'A B': '1' } }, 'env["A B"]'],
    ['request id with a space', { language: 'python', source: code, requestId: 'a b' }, 'request_id'],
    [
      'request id of 300 characters',
      { language: 'python', source: code, requestId: 'a'.repeat(300) },
      'request_id',
    ],
    ['NUL in an argument', { language: 'python', source: code, args: ['a\0'] }, 'args[0]'],
    ['empty command', { image: 'x', source: { $case: 'command', value: { argv: [] } } }, 'command.argv'],
    ['command without image', { source: { $case: 'command', value: { argv: ['ls'] } } }, 'image'],
  ])('names the field: %s', (_name, message, field) => {
    expect(fieldsOf(message)).toContain(field);
  });

  it('names every field at once', () => {
    expect(fieldsOf({ language: 'python', source: code, cwd: '/', entry: '..', args: ['\0'] })).toEqual([
      'cwd',
      'entry',
      'args[0]',
    ]);
  });

  it.each<[string, Partial_]>([
    ['requirements', { requirements: ['pandas'] }],
    ['sandbox_id', { sandboxId: 'sbx-1' }],
    ['function', { source: { $case: 'function', value: { code: 'x', name: 'f' } } }],
  ])('refuses what is not built by name: %s', (field, message) => {
    expect(() => check({ language: 'python', source: code, ...message })).toThrowError(
      expect.objectContaining({ reason: 'NOT_BUILT', violations: [expect.objectContaining({ field })] }),
    );
  });

  it('tells equal requests from others by their digest', () => {
    const a = check({ language: 'python', source: code, requestId: 'r1' });
    const b = check({ language: 'python', source: code, requestId: 'r1' });
    const c = check({ language: 'python', source: { $case: 'code', value: 'print(2)' }, requestId: 'r1' });
    expect(a.digest).toBe(b.digest);
    expect(c.digest).not.toBe(a.digest);
  });
});
