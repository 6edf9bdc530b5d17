import { isUtf8 } from 'node:buffer';
import { basename, extname } from 'node:path';
import type { DeepPartial, ExecuteRequest } from '../../clients/typescript/src/index.js';
import type { CommonOptions, Session } from './session.js';
import { labelsOf } from './arguments.js';
import { readInput } from './stdin.js';
import { UsageError } from './usage-error.js';

export interface RunOptions extends CommonOptions {
  language?: string;
  languageVersion?: string;
  image?: string;
  env?: string[];
  file?: string[];
  stdin?: string;
  timeout?: number;
  memory?: number;
  cpus?: number;
  maxOutput?: number;
  isolation?: string;
  detach?: boolean;
  requestId?: string;
  durable?: boolean;
  label?: string[];
  verbose?: boolean;
}

const LARGEST_CODE_BYTES = 1024 * 1024;
const LARGEST_FILE_BYTES = 16 * 1024 * 1024;

const LANGUAGES: Record<string, string> = { '.py': 'python', '.js': 'node', '.mjs': 'node', '.cjs': 'node' };

/** What `berth run` asks for. */
export async function runRequest(
  session: Session,
  file: string,
  args: string[],
  options: Omit<RunOptions, 'env'> & { env: Record<string, string> },
): Promise<DeepPartial<ExecuteRequest>> {
  if (file === '-' && options.stdin === '-') {
    throw new UsageError(
      'standard input cannot be both the program and its input; put one of them into a file',
    );
  }
  const { io, signal } = session;
  const program = await readInput(io, file, LARGEST_CODE_BYTES, signal);
  const stdin =
    options.stdin === undefined ? undefined : await readInput(io, options.stdin, LARGEST_FILE_BYTES, signal);
  const files = await Promise.all(
    (options.file ?? []).map(async (given) => {
      const { path, name } = splitFile(given);
      return { path: name, content: await readInput(io, path, LARGEST_FILE_BYTES, signal) };
    }),
  );
  // A program in another encoding is a file like any other; `code` is text.
  const asFile = file !== '-' && !isUtf8(program);
  return {
    language: options.language ?? languageOf(file),
    languageVersion: options.languageVersion,
    image: options.image,
    source: { $case: 'code', value: asFile ? '' : program.toString('utf8') },
    entry: file === '-' ? '' : basename(file),
    files: asFile ? [...files, { path: basename(file), content: program }] : files,
    stdin,
    args,
    env: options.env,
    requestId: options.requestId,
    durable: options.durable,
    labels: labelsOf(options.label),
    limits: {
      wallMs: options.timeout,
      memoryBytes: options.memory,
      cpus: options.cpus,
      outputBytes: options.maxOutput,
    },
  };
}

function languageOf(file: string): string {
  if (file === '-') return 'python';
  const language = LANGUAGES[extname(file).toLowerCase()];
  if (language === undefined) {
    throw new UsageError(`the name ${basename(file)} does not tell a language; name it with --language`);
  }
  return language;
}

/** `data/in.csv:in.csv`; without a name the file's own is taken. */
function splitFile(given: string): { path: string; name: string } {
  const at = given.lastIndexOf(':');
  return at > 0
    ? { path: given.slice(0, at), name: given.slice(at + 1) }
    : { path: given, name: basename(given) };
}
