import {
  EnvOperation,
  EnvState,
  OperationOutcome,
  OutputStream,
  ResourceKind,
  type Env,
  type HeldResource,
  type LogLine,
  type OperationEnd,
  type OperationQueued,
  type OperationStarted,
  type UndoFailed,
} from '../../../clients/typescript/src/index.js';
import { formatDuration } from '../output/duration.js';
import { word } from '../output/execution.js';
import { printable } from '../output/style.js';

/** `deploying env-...`, `stopping env-...` */
export function operationTitle(envId: string, { operation, recovered }: OperationStarted): string {
  const title = `${operationVerb(operation)} ${envId}`;
  return recovered ? `${title}, taken up after a restart of berthd` : title;
}

function operationVerb(operation: EnvOperation): string {
  switch (operation) {
    case EnvOperation.DEPLOY:
      return 'deploying';
    case EnvOperation.STOP:
      return 'stopping';
    case EnvOperation.START:
      return 'starting';
    case EnvOperation.RESET:
      return 'resetting';
    case EnvOperation.DESTROY:
      return 'removing';
    case EnvOperation.EXPIRE:
      return 'removing (its time is over)';
    case EnvOperation.RECOVER:
      return 'recovering';
    case EnvOperation.UNSPECIFIED:
    case EnvOperation.UNRECOGNIZED:
      return 'working on';
  }
}

export function queuedText({ position, reason }: OperationQueued): string {
  return `waiting, place ${position} in the queue${reason === '' ? '' : `: ${printable(reason)}`}`;
}

export function undoFailedText({ step, message, left }: UndoFailed): string {
  return `undo of ${step} failed, it is tried again later: ${printable(message)}${resourcesText(', left: ', left)}`;
}

export function resourcesText(prefix: string, resources: readonly HeldResource[]): string {
  const texts = resources.map(({ kind, name }) => `${word(ResourceKind[kind])} ${printable(name)}`);
  return texts.length === 0 ? '' : `${prefix}${texts.join(', ')}`;
}

/** ` in 3 ms`; nothing where the time was not measured. */
export function within(tookMs: number, preposition: 'in' | 'after' = 'in'): string {
  return tookMs === 0 ? '' : ` ${preposition} ${formatDuration(tookMs)}`;
}

/** What an operation came to: one line, and more lines below it. */
export interface Summary {
  ok: boolean;
  headline: string;
  details: string[];
  /** What the env's containers wrote last. */
  logLines: string[];
}

export function summaryOf(envId: string, end: OperationEnd): Summary {
  switch (end.$case) {
    case 'succeeded': {
      const { env, outcome, tookMs } = end.value;
      return {
        ok: true,
        headline: `${envId} ${outcomeText(outcome, env)} (${formatDuration(tookMs)})`,
        details: [],
        logLines: [],
      };
    }
    case 'failed': {
      const error = end.value.error;
      const where = error?.step ? `step ${error.step} failed` : 'it failed before the first step';
      const undone = error?.undoErrors ?? [];
      return {
        ok: false,
        headline: `${envId}: ${where}${error?.reason ? ` (${error.reason})` : ''}${within(end.value.tookMs, 'after')}`,
        details: [
          ...(error?.message ?? 'no reason was given').split('\n').map(printable),
          ...(undone.length === 0 ? [] : undone.map(undoFailedText)),
          ...(error?.retryAfterMs ? [`Try again in ${formatDuration(error.retryAfterMs)}.`] : []),
        ],
        logLines: (error?.logLines ?? []).map(logLineText),
      };
    }
    case 'cancelled':
      return {
        ok: false,
        headline: `${envId}: cancelled${end.value.message === '' ? '' : ` by ${printable(end.value.message)}`}`,
        details: end.value.undoErrors.map(undoFailedText),
        logLines: [],
      };
  }
}

function outcomeText(outcome: OperationOutcome, env: Env | undefined): string {
  const place = env?.url && env.state === EnvState.RUNNING ? ` at ${env.url}` : '';
  switch (outcome) {
    case OperationOutcome.CREATED:
      return `is up${place}`;
    case OperationOutcome.UNCHANGED:
      return unchangedText(env, place);
    case OperationOutcome.STARTED:
      return `was started${place}`;
    case OperationOutcome.REPLACED:
      return `was replaced${place}`;
    case OperationOutcome.STOPPED:
      return 'is stopped; its data is kept';
    case OperationOutcome.RESET:
      return `was reset${place}`;
    case OperationOutcome.DESTROYED:
      return 'is gone';
    case OperationOutcome.UNSPECIFIED:
    case OperationOutcome.UNRECOGNIZED:
      return `is done${place}`;
  }
}

function unchangedText(env: Env | undefined, place: string): string {
  if (place !== '') return `is up already${place}`;
  switch (env?.state) {
    case EnvState.RUNNING:
      return 'runs already';
    case EnvState.STOPPED:
      return 'is stopped already; its data is kept';
    case EnvState.DESTROYED:
    case EnvState.FAILED:
      return 'is gone already';
    default:
      return 'is as it was';
  }
}

function logLineText({ service, stream, text }: LogLine): string {
  const mark = stream === OutputStream.STDERR ? '!' : '|';
  return `${service} ${mark} ${printable(text.toString('utf8'))}`;
}
