// Berth's side: the TypeScript client against the benchmark's berthd.
import { timed } from '../measure/interleaved.mjs';
import { checkOutput, program } from '../measure/program.mjs';

/**
 * One execution from the call to its terminal event, in milliseconds.
 *
 * @param {{prelude?: string, isolation?: number}} [options]
 */
export async function execute(client, round, options) {
  const { ms } = await executed(client, round, options);
  return ms;
}

/** As `execute`, with what the client made of it. */
export async function executed(client, round, { prelude, isolation } = {}) {
  const { code, output } = program(round, prelude);
  const { ms, result } = await timed(() =>
    client.run({
      language: 'python',
      source: { $case: 'code', value: code },
      ...(isolation !== undefined && { isolation }),
    }),
  );
  checkOutput('berth', output, { output: result.stdout.toString(), exitCode: result.exitCode });
  return { ms, result };
}
