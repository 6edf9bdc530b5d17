import { ReconcileEnvsResponse, ResourceKind } from '../../../clients/typescript/src/index.js';
import { EXIT } from '../exit-codes.js';
import { word } from '../output/execution.js';
import { printable } from '../output/style.js';
import type { Session } from '../session.js';

/** Says what berthd owns and no row of it knows, and the reverse; with `apply` it has been mended. */
export async function reconcileEnvs(
  { client, signal, out, json }: Session,
  { apply }: { apply: boolean },
): Promise<number> {
  const answer = await client.env.reconcileEnvs({ apply }, { signal });
  const { strays, incomplete, errors } = answer;
  const code = errors.length > 0 ? EXIT.failed : EXIT.ok;
  if (json) {
    out.json(ReconcileEnvsResponse.toJSON(answer));
    return code;
  }
  for (const { resource, envId } of strays) {
    const what = `${word(ResourceKind[resource?.kind ?? 0])} ${printable(resource?.name ?? '')}`;
    out.line(`stray       ${what} of ${envId === '' ? 'no env' : envId}`);
  }
  for (const { envId, missing } of incomplete) out.line(`incomplete  ${envId}: ${printable(missing)}`);
  for (const error of errors) out.line(out.paint('red', `error       ${printable(error)}`));
  const found = strays.length + incomplete.length;
  if (found === 0) out.line('everything is as the rows say');
  else if (apply) out.line(`${strays.length} removed, ${incomplete.length} marked as broken`);
  else out.line('a dry run: nothing was changed; --apply removes strays and marks incomplete envs as broken');
  return code;
}
