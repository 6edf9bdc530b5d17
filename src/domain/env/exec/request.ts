import { environmentSchema } from '../app/environment.js';
import { invalid, type FieldViolation } from '../../errors.js';
import { PROCESS_SIGNALS, type ProcessSignal, type TerminalSize } from './engine.js';

/** What to run in an env, and how. */
export interface ExecStart {
  tenant: string;
  /** Empty: none. */
  requestId: string;
  envId: string;
  /** Empty: "app". */
  service: string;
  /** Empty: a shell, or with `attach` the main process. */
  argv: readonly string[];
  attach: boolean;
  /** A size of 0 is the default. */
  terminal: (TerminalSize & { term: string }) | undefined;
  env: Readonly<Record<string, string>>;
  cwd: string;
  user: string;
}

export const DEFAULT_TERMINAL = { columns: 80, rows: 24, term: 'xterm-256color' } as const;

const MAX_SIDE = 1_000;
const MAX_ARGUMENTS = 1_024;
const MAX_ARGUMENT_BYTES = 128 * 1024;
const MAX_PATH_BYTES = 4_096;
export const MAX_STDIN_BYTES = 256 * 1024;
const REQUEST_ID = /^[\x21-\x7e]{0,128}$/;
const TERM = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/;

/** @throws BerthError INVALID_ARGUMENT naming every field and rule */
export function checkExecStart(start: ExecStart): void {
  const violations: FieldViolation[] = [];
  const broken = (field: string, rule: string): void =>
    void violations.push({ field: `start.${field}`, rule });
  if (!REQUEST_ID.test(start.requestId))
    broken('request_id', 'must be 1 to 128 printable ASCII characters without spaces');
  checkArgv(start.argv, broken);
  if (start.attach) {
    const apart: [string, boolean][] = [
      ['argv', start.argv.length > 0],
      ['env', Object.keys(start.env).length > 0],
      ['cwd', start.cwd !== ''],
      ['user', start.user !== ''],
    ];
    for (const [field, given] of apart) if (given) broken(field, 'cannot go with attach');
  }
  if (start.cwd !== '' && !isPath(start.cwd)) broken('cwd', 'must be an absolute path without NUL');
  if (start.user !== '' && !USER.test(start.user)) broken('user', 'must be a name or number, or user:group');
  const environment = environmentSchema.safeParse(start.env);
  for (const issue of environment.error?.issues ?? [])
    broken(['env', ...issue.path.map(String)].join('.'), issue.message);
  if (start.terminal !== undefined) {
    for (const violation of sizeViolations(start.terminal, 'start.terminal.size')) violations.push(violation);
    const { term } = start.terminal;
    if (term !== '' && !TERM.test(term)) broken('terminal.term', `must match ${TERM.source}`);
  }
  if (violations.length > 0) throw invalid(...violations);
}

/** With 0 as the default. @throws BerthError INVALID_ARGUMENT */
export function checkedSize(size: TerminalSize): TerminalSize {
  const violations = sizeViolations(size, 'resize');
  if (violations.length > 0) throw invalid(...violations);
  return { columns: size.columns || DEFAULT_TERMINAL.columns, rows: size.rows || DEFAULT_TERMINAL.rows };
}

/** @throws BerthError INVALID_ARGUMENT */
export function checkedSignal(name: string): ProcessSignal {
  const signal = PROCESS_SIGNALS.find((known) => known === name);
  if (signal === undefined)
    throw invalid({ field: 'signal', rule: `must be one of ${PROCESS_SIGNALS.join(', ')}` });
  return signal;
}

function checkArgv(argv: readonly string[], broken: (field: string, rule: string) => void): void {
  const bytes = argv.reduce((sum, argument) => sum + Buffer.byteLength(argument), 0);
  if (argv.length > MAX_ARGUMENTS || bytes > MAX_ARGUMENT_BYTES)
    broken('argv', `must be at most ${MAX_ARGUMENTS} and ${MAX_ARGUMENT_BYTES} bytes together`);
  if (argv[0] === '') broken('argv[0]', 'must not be empty');
  if (argv.some((argument) => argument.includes('\0'))) broken('argv', 'must be without NUL');
}

function isPath(path: string): boolean {
  return path.startsWith('/') && !path.includes('\0') && Buffer.byteLength(path) <= MAX_PATH_BYTES;
}

function sizeViolations({ columns, rows }: TerminalSize, field: string): FieldViolation[] {
  return Object.entries({ columns, rows })
    .filter(([, side]) => !Number.isInteger(side) || side < 0 || side > MAX_SIDE)
    .map(([side]) => ({ field: `${field}.${side}`, rule: `must be from 0 to ${MAX_SIDE}` }));
}
