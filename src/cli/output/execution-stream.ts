import { EndReason, OutputStream, type ExecuteEvent } from '../../../clients/typescript/src/index.js';
import { RUN_EXIT, runExitCode } from '../exit-codes.js';
import type { Session } from '../session.js';
import { describeEnd, describeStart } from './execution.js';
import { printable } from './style.js';

/** Writes what an execution wrote, as it wrote it, and says how it ended. Resolves to the exit code for that. */
export async function showExecution(
  { out, err }: Session,
  events: AsyncIterable<ExecuteEvent>,
  verbose: boolean,
): Promise<number> {
  let exitCode: number = RUN_EXIT.berth;
  for await (const { event } of events) {
    if (event?.$case === 'output') {
      const target = event.value.stream === OutputStream.STDERR ? err : out;
      await target.bytes(event.value.data);
    }
    if (event?.$case === 'started' && verbose)
      err.line(err.paint('dim', printable(describeStart(event.value))));
    if (event?.$case === 'ended') {
      exitCode = runExitCode(event.value);
      const end = describeEnd(event.value, verbose);
      const line = end === undefined ? undefined : printable(end);
      if (line !== undefined)
        err.line(event.value.reason === EndReason.EXITED ? err.paint('dim', line) : line);
    }
  }
  return exitCode;
}
