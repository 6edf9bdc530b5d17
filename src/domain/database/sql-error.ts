import { BerthError } from '../errors.js';

const MAX_CHARACTERS = 1_000;

/** `ERROR 1064 (42000) at line 3: You have an error …`, as MySQL's client says it. */
const AT_LINE = /^ERROR (?:(\d+) \(\w+\) )?at line (\d+)(?: in file: '.*?')?: ([^\n]*)/m;
const ANYWHERE = /^ERROR (\d+)(?: \(\w+\))?: ([^\n]*)/m;

/** What MySQL's client said of the statement that failed. */
export interface SqlFailure {
  /** MySQL's number of the error; empty when the client itself refused, such as a command of its own. */
  code: string;
  /** From 1; undefined when it was not about a line, such as a refused connection. */
  line: number | undefined;
  message: string;
}

/** The failure in a client's output or in a container's log; undefined when there is none. */
export function sqlFailureIn(output: string): SqlFailure | undefined {
  const located = AT_LINE.exec(output);
  if (located)
    return {
      code: located[1] ?? '',
      line: Number(located[2]),
      message: located[3]!.slice(0, MAX_CHARACTERS),
    };
  const other = ANYWHERE.exec(output);
  return other
    ? { code: other[1]!, line: undefined, message: other[2]!.slice(0, MAX_CHARACTERS) }
    : undefined;
}

/** The app's SQL could not be loaded: names file, line and MySQL's own error. */
export function sqlFileFailed(file: string, { code, line, message }: SqlFailure): BerthError {
  const where = line === undefined ? '' : ` at line ${line}`;
  return new BerthError(
    'DATABASE_INIT_FAILED',
    `${file} cannot be loaded${where}: MySQL says ${code && `${code}: `}${message}. Mend the file and deploy again`,
    { metadata: { file, mysql_code: code, ...(line !== undefined && { line: String(line) }) } },
  );
}
