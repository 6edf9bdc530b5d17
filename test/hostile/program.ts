import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';

/** What a trial runs on; `test/hostile/engines.ts` says what each is. */
export type EngineName = 'runc' | 'gvisor' | 'local';

/** What the client of a program does; the default reads to the end. */
export type ClientBehaviour = 'reads' | 'leaves' | 'holds';

/** What must be seen of a program on one engine. */
export interface Expectation {
  /** Ends that are right, each as `describeEnd` tells it: "exited 0", "out_of_memory". */
  ends: string[];
  /** A pattern for each line of standard output, in order; undefined where `repeats` says it all, or nothing is asked. */
  lines: RegExp[] | undefined;
  /** Standard output is these bytes again and again, cut at so many. */
  repeats: { pattern: Buffer; bytes: number } | undefined;
  /** Why the program means nothing on the engine; undefined where it runs. */
  pointless: string | undefined;
}

/** One file of `programs/`: what it tries, the numbers of the threats it stands for, and what must be seen. */
export interface HostileProgram {
  /** File name without its ending. */
  name: string;
  language: 'python' | 'shell';
  source: string;
  tries: string;
  threats: number[];
  /** As ExecutionLimits has them, by their names in TypeScript. */
  limits: Record<string, number>;
  env: Record<string, string>;
  client: ClientBehaviour;
  on(engine: EngineName): Expectation;
}

const KEYS = new Set([
  'tries',
  'threats',
  'limits',
  'env',
  'client',
  'ends',
  'shows',
  'repeats',
  'pointless',
]);
const ENGINE_KEYS = new Set(['ends', 'shows', 'repeats', 'pointless']);
const CLIENTS: Record<string, ClientBehaviour> = {
  'reads to the end': 'reads',
  'leaves at the first output': 'leaves',
  'reads nothing until it has ended': 'holds',
};

/** All programs of a directory, by name. @throws Error that names the file and line of a header that is not right */
export function loadPrograms(directory: string): HostileProgram[] {
  return readdirSync(directory)
    .filter((file) => ['.py', '.sh'].includes(extname(file)))
    .sort()
    .map((file) => parseProgram(file, readFileSync(join(directory, file), 'utf8')));
}

/**
 * Reads the header: the comment lines at the top of the file, each `# key: value` or, indented by three blanks, the rest of the
 * line above. A key may be for one engine only (`# shows gvisor: …`), where it takes the place of the general one.
 * `shows` is given once for each line of output; `anything` asks for nothing.
 */
export function parseProgram(file: string, source: string): HostileProgram {
  const header = readHeader(file, source);
  const one = (key: string): string | undefined => header.get(key)?.join(' ');
  const must = (key: string): string => {
    const value = one(key);
    if (value === undefined) throw new Error(`${file}: its header has no '${key}:'`);
    return value;
  };
  const client = CLIENTS[one('client') ?? 'reads to the end'];
  if (client === undefined)
    throw new Error(`${file}: client: must be one of ${Object.keys(CLIENTS).join(', ')}`);
  const program: HostileProgram = {
    name: basename(file, extname(file)),
    language: extname(file) === '.py' ? 'python' : 'shell',
    source,
    tries: must('tries'),
    threats: must('threats').split(/[ ,]+/).map(Number),
    limits: JSON.parse(one('limits') ?? '{}') as Record<string, number>,
    env: JSON.parse(one('env') ?? '{}') as Record<string, string>,
    client,
    on: (engine) => {
      const of = (key: string): string[] | undefined => header.get(`${key} ${engine}`) ?? header.get(key);
      return {
        ends: (of('ends')?.join(' ') ?? '').split(/ or /).map((end) => end.trim()),
        lines: patterns(of('shows')),
        repeats: repetition(file, of('repeats')?.join(' ')),
        pointless: header.get(`pointless ${engine}`)?.join(' '),
      };
    },
  };
  must('ends');
  if (program.threats.some(Number.isNaN)) throw new Error(`${file}: threats: must be numbers of threats`);
  return program;
}

/** `anything` takes back, on one engine, what is shown on the others. */
function patterns(lines: string[] | undefined): RegExp[] | undefined {
  return lines?.join() === 'anything' ? undefined : lines?.map((line) => new RegExp(`^(?:${line})$`));
}

function readHeader(file: string, source: string): Map<string, string[]> {
  const header = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const [index, line] of source.split('\n').entries()) {
    if (!line.startsWith('#')) break;
    if (line.startsWith('#!')) continue;
    const rest = /^# {4,}(.*)$/.exec(line)?.[1];
    if (rest !== undefined && last !== undefined) {
      last[last.length - 1] += ` ${rest.trim()}`;
      continue;
    }
    const [, key, engine, value] = /^# (\w+)(?: (runc|gvisor|local))?: ?(.*)$/.exec(line) ?? [];
    if (key === undefined || !(engine === undefined ? KEYS : ENGINE_KEYS).has(key)) {
      throw new Error(`${file}:${index + 1}: not a line of a header: ${line}`);
    }
    const name = engine === undefined ? key : `${key} ${engine}`;
    last = header.get(name) ?? [];
    last.push(value ?? '');
    header.set(name, last);
  }
  return header;
}

/** `"a\u0000" up to 1000`: a JSON string of Latin-1 bytes. */
function repetition(file: string, text: string | undefined): Expectation['repeats'] {
  if (text === undefined || text === 'anything') return undefined;
  const [, pattern, bytes] = /^(".*") up to (\d+) bytes$/.exec(text) ?? [];
  if (pattern === undefined) throw new Error(`${file}: repeats: must be "text" up to N bytes`);
  return { pattern: Buffer.from(JSON.parse(pattern) as string, 'latin1'), bytes: Number(bytes) };
}
