import { EndReason } from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import type { RunResult } from '../../clients/typescript/src/run.js';

/** An end in the words that headers use: "exited 3", "signalled SIGKILL", "out_of_memory". */
export function describeEnd({ reason, exitCode, signal }: RunResult): string {
  const word = EndReason[reason]!.toLowerCase();
  if (reason === EndReason.EXITED) return `${word} ${exitCode}`;
  return reason === EndReason.SIGNALLED ? `${word} ${signal}` : word;
}
