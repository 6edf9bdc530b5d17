import type { Env } from '../domain/env/model.js';
import type { EnvFilter, Page } from '../domain/env/store.js';
import { decodePageToken, encodePageToken } from '../domain/page-token.js';
import { envFromRow } from './rows/env-row.js';
import type { Database } from './schema.js';

/**
 * One page of a tenant's envs, newest first. `states` picks exactly those; without it, ended envs are left out unless
 * `includeEnded`.
 * @throws BerthError PAGE_TOKEN_INVALID
 */
export async function listEnvs(
  db: Database,
  filter: EnvFilter,
  pageSize: number,
  pageToken: string,
): Promise<Page<Env>> {
  const query = queryOf(filter);
  const after = decodePageToken(pageToken, query);
  const { userId, systemId, appId, states, includeEnded, labels = {} } = filter;
  let select = db.selectFrom('envs').selectAll().where('tenant', '=', filter.tenant);
  if (userId !== undefined) select = select.where('user_id', '=', userId);
  if (systemId !== undefined) select = select.where('system_id', '=', systemId);
  if (appId !== undefined) select = select.where('app_id', '=', appId);
  if (states !== undefined && states.length > 0) select = select.where('state', 'in', states);
  else if (includeEnded !== true) select = select.where('live', '=', 1);
  for (const [name, value] of Object.entries(labels))
    select = select.where((eb) =>
      eb.exists(
        eb
          .selectFrom('env_labels')
          .select('env_labels.env_id')
          .whereRef('env_labels.env_id', '=', 'envs.id')
          .where('env_labels.name', '=', name)
          .where('env_labels.value', '=', value),
      ),
    );
  if (after !== undefined)
    select = select.where((eb) =>
      eb.or([
        eb('created_at', '<', after.createdAt),
        eb.and([eb('created_at', '=', after.createdAt), eb('id', '<', after.id)]),
      ]),
    );
  // One more than asked for tells whether there is a next page.
  const rows = await select
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(pageSize + 1)
    .execute();
  const items = rows.slice(0, pageSize).map(envFromRow);
  const last = rows.length > pageSize ? items.at(-1) : undefined;
  return { items, nextPageToken: last === undefined ? '' : encodePageToken(last, query) };
}

/** What a page token is bound to. */
function queryOf(filter: EnvFilter): unknown {
  const states = filter.states === undefined ? [] : [...filter.states].sort();
  const { tenant, userId, systemId, appId, includeEnded, labels = {} } = filter;
  const ids = [tenant, userId ?? null, systemId ?? null, appId ?? null];
  return ['envs', ...ids, states, includeEnded ?? false, Object.entries(labels).sort()];
}
