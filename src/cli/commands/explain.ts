import type { Command } from 'commander';
import {
  EnvHealth,
  EnvState,
  ExplainEnvResponse,
  ResourceKind,
  type EnvActivity,
} from '../../../clients/typescript/src/index.js';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { EXIT } from '../exit-codes.js';
import { undoFailedText } from '../operation/wording.js';
import { formatSpan } from '../output/duration.js';
import { word } from '../output/execution.js';
import type { Output } from '../output/output.js';
import { formatSize } from '../output/size.js';
import { printable } from '../output/style.js';
import type { CommonOptions } from '../session.js';

export function explainCommand(cli: Cli): Command {
  return newCommand('explain', 'say why an env is alive, when it goes, what blocks it and what it holds')
    .argument('<env>', 'id of an env, or the beginning of one')
    .action(async (given: string, options: CommonOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        const envId = await resolveEnvId(client, given, { signal });
        const answer = await client.env.explainEnv({ envId }, { signal });
        if (json) out.json(ExplainEnvResponse.toJSON(answer));
        else show(out, envId, answer, Date.now());
        return EXIT.ok;
      });
    });
}

function show(out: Output, envId: string, answer: ExplainEnvResponse, nowMs: number): void {
  const { env } = answer;
  const health = env && env.health !== EnvHealth.UNSPECIFIED ? `, ${word(EnvHealth[env.health])}` : '';
  const gone = env?.state === EnvState.DESTROYED || env?.state === EnvState.FAILED;
  const parts = [`${word(EnvState[env?.state ?? 0])}${health}`, ...(gone ? [] : [printable(env?.url ?? '')])];
  out.line([out.paint('bold', envId), ...parts].filter((part) => part !== '').join('  '));
  const say = (name: string, text: string): void => {
    if (text !== '') out.line(`${name.padEnd(11)} ${printable(text)}`);
  };
  say(gone ? 'gone' : 'alive', answer.aliveBecause);
  say('last used', activityText(answer.lastActivity, nowMs));
  say('extended', activityText(answer.lastExtension, nowMs));
  if (answer.goesTime) say('goes', `${inOrAgo(answer.goesTime, nowMs)}: ${answer.goesBecause}`);
  for (const { reason, message } of answer.blockers) say('blocked', `${reason}: ${message}`);
  const { reason, message, time } = env?.lastError ?? {};
  if (time) say('last error', `${inOrAgo(time, nowMs)}: ${reason}: ${message}`);
  for (const undo of answer.pendingUndos) say('undo', undoFailedText(undo));
  if (answer.memoryBytes > 0) {
    const cpuSeconds = (answer.usage?.cpuHours ?? 0) * 3_600;
    say(
      'uses',
      `${formatSize(answer.memoryBytes)} of memory, ${answer.cpus.toFixed(2)} CPUs, ${cpuSeconds.toFixed(1)} s of CPU so far`,
    );
  }
  if (env && env.diskBytes > 0) say('disk', formatSize(env.diskBytes));
  for (const { kind, name, state } of answer.held) {
    say('holds', `${word(ResourceKind[kind])} ${name}${state === '' ? '' : ` (${state})`}`);
  }
}

function activityText(activity: EnvActivity | undefined, nowMs: number): string {
  return activity?.time ? `${inOrAgo(activity.time, nowMs)}: ${activity.detail}` : '';
}

function inOrAgo(time: Date, nowMs: number): string {
  const ms = time.getTime() - nowMs;
  return ms >= 0 ? `in ${formatSpan(ms)}` : `${formatSpan(-ms)} ago`;
}
