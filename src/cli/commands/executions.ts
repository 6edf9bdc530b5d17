import { Option, type Command } from 'commander';
import {
  EndReason,
  Execution,
  ExecutionState,
  type BerthClient,
  type CallOptions,
  type ListExecutionsRequest,
} from '../../../clients/typescript/src/index.js';
import { collected, labelsOf, wholeNumber } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { formatDuration, formatSpan } from '../output/duration.js';
import { describeEnd, describeStart, word } from '../output/execution.js';
import { printable, type Colour, type Paint } from '../output/style.js';
import { table } from '../output/table.js';
import type { CommonOptions, Session } from '../session.js';

interface ExecutionsOptions extends CommonOptions {
  state?: string;
  ended?: string;
  sandbox?: string;
  task?: string;
  label?: string[];
  limit: number;
}

const STATES: Record<string, ExecutionState> = {
  queued: ExecutionState.QUEUED,
  running: ExecutionState.RUNNING,
  ended: ExecutionState.ENDED,
  failed: ExecutionState.FAILED,
};

const END_REASONS = Object.fromEntries(
  Object.entries(EndReason)
    .filter((entry): entry is [string, EndReason] => typeof entry[1] === 'number' && entry[1] > 0)
    .map(([name, number]) => [name.toLowerCase(), number]),
);

const HEADER = ['EXECUTION', 'STATE', 'END', 'LANGUAGE', 'TIME', 'AGE', 'LABELS'];
const LARGEST_PAGE = 500;

export function executionsCommand(cli: Cli): Command {
  return newCommand('executions', 'list executions, newest first, or show one')
    .argument('[execution]', 'id of one')
    .addOption(new Option('--state <state>', 'only in this state').choices(Object.keys(STATES)))
    .addOption(
      new Option('--ended <reason>', 'only those that ended for this reason').choices(
        Object.keys(END_REASONS),
      ),
    )
    .option('--sandbox <id>', 'only in this sandbox')
    .option('--task <id>', 'only of this task')
    .option('--label <name=value>', 'only with this label; may be given more than once', collected)
    .option('-n, --limit <number>', 'how many at most', wholeNumber, 50)
    .action(async (id: string | undefined, options: ExecutionsOptions) => {
      await cli.perform(options, (session) =>
        id === undefined ? list(session, options) : show(session, id),
      );
    });
}

async function list({ client, signal, out, json }: Session, options: ExecutionsOptions): Promise<number> {
  const filter = {
    state: STATES[options.state ?? ''] ?? ExecutionState.UNSPECIFIED,
    endReason: END_REASONS[options.ended ?? ''] ?? EndReason.UNSPECIFIED,
    sandboxId: options.sandbox ?? '',
    taskId: options.task ?? '',
    labels: labelsOf(options.label),
  };
  const executions = await atMost(client, filter, options.limit, { signal });
  if (json) out.json({ executions: executions.map((execution) => Execution.toJSON(execution)) });
  else
    for (const line of table(
      HEADER,
      executions.map((execution) => rowOf(execution, out.paint, Date.now())),
    ))
      out.line(line);
  return EXIT.ok;
}

async function atMost(
  client: BerthClient,
  filter: Partial<ListExecutionsRequest>,
  limit: number,
  options: CallOptions,
): Promise<Execution[]> {
  const found: Execution[] = [];
  let pageToken = '';
  do {
    const pageSize = Math.min(limit - found.length, LARGEST_PAGE);
    const page = await client.sandbox.listExecutions({ ...filter, pageSize, pageToken }, options);
    found.push(...page.executions);
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && found.length < limit);
  return found;
}

async function show({ client, signal, out, json }: Session, executionId: string): Promise<number> {
  const { execution } = await client.sandbox.getExecution({ executionId }, { signal });
  if (execution === undefined) throw new Error('berthd answered without the execution');
  if (json) out.json(Execution.toJSON(execution));
  else for (const line of linesOf(execution)) out.line(line);
  return EXIT.ok;
}

function linesOf(execution: Execution): string[] {
  const { started, ended, createTime, lastSeq, oldestSeq, failureReason, failureMessage } = execution;
  const lines = [`${execution.executionId}  ${word(ExecutionState[execution.state])}`];
  if (createTime !== undefined) lines.push(`asked for at ${createTime.toISOString()}`);
  if (execution.requestId !== '') lines.push(`request id ${printable(execution.requestId)}`);
  if (Object.keys(execution.labels).length > 0) lines.push(`labels ${labelText(execution)}`);
  if (started !== undefined) lines.push(printable(describeStart(started)));
  if (ended !== undefined) lines.push(printable(describeEnd(ended, true) ?? ''));
  if (failureReason !== '') lines.push(`never started: ${printable(failureMessage)} (${failureReason})`);
  lines.push(
    oldestSeq === 0
      ? 'no events are kept'
      : `events ${oldestSeq} to ${lastSeq} can be read: berth attach ${execution.executionId}`,
  );
  return lines;
}

function rowOf(execution: Execution, paint: Paint, nowMs: number): string[] {
  const { state, ended, started, startTime, endTime, createTime } = execution;
  const ran = startTime && (endTime?.getTime() ?? nowMs) - startTime.getTime();
  return [
    execution.executionId,
    paint(colourOf(execution), word(ExecutionState[state])),
    ended === undefined ? execution.failureReason : endText(ended.reason, ended.exitCode),
    printable(started?.language ?? ''),
    ran === undefined ? '' : formatDuration(ended?.usage?.wallMs || ran),
    createTime === undefined ? '' : formatSpan(nowMs - createTime.getTime()),
    labelText(execution),
  ];
}

function endText(reason: EndReason, exitCode: number | undefined): string {
  return reason === EndReason.EXITED ? `exited ${exitCode}` : word(EndReason[reason]);
}

function labelText({ labels }: Execution): string {
  return printable(
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
}

function colourOf({ state, ended }: Execution): Colour {
  if (state === ExecutionState.ENDED) return ended?.exitCode === 0 ? 'green' : 'red';
  return state === ExecutionState.FAILED ? 'red' : 'yellow';
}
