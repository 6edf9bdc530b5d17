import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readRows, type EnvRow, type Rows } from './rows.js';
import { sharedServerOf } from '../../../support/env/shared-server.js';

/** Where a berthd keeps what it has, and the docker CLI that sees its Docker. */
export interface Place {
  stateDir: string;
  owner: string;
  docker: (...args: string[]) => Promise<string>;
}

const AT_REST = ['running', 'stopped', 'broken'];
const TERMINAL = ['succeeded', 'failed', 'cancelled'];

/**
 * Invariants 1, 2, 3 and 6 of the design, as they hold whenever nothing is under way: nothing is unfinished, and what
 * carries Berth's labels, directories, schemas, users and ports is exactly what the rows say.
 * @returns what does not hold, a line each
 */
export async function violations(place: Place): Promise<string[]> {
  const rows = readRows(join(place.stateDir, 'berth.db'));
  return [
    ...rows.unfinished.map(({ id, kind, state }) => `operation ${id} (${kind}) is still ${state}`),
    ...rows.live
      .filter(({ state }) => !AT_REST.includes(state))
      .map(({ id, state }) => `${id} is still ${state}`),
    ...ports(rows),
    ...directories(place, rows),
    ...eventLogs(rows),
    ...(await dockers(place, rows)),
    ...(await databases(place, rows)),
  ];
}

function ports({ live, ports: used }: Rows): string[] {
  const stray = used.filter(
    ({ port, env_id }) => !live.some((env) => env.id === env_id && env.port === port),
  );
  const lacking = live.filter(
    ({ id, port }) => port !== null && !used.some((row) => row.env_id === id && row.port === port),
  );
  return [
    ...stray.map(({ port, env_id }) => `port ${port} is claimed for ${env_id}, whose row does not say so`),
    ...lacking.map(({ id, port }) => `${id} has port ${port} that is not claimed`),
  ];
}

/** Each env's directory is `tenant/user/system/app`; what is empty above it goes with it. */
function directories({ stateDir }: Place, { live }: Rows): string[] {
  const found = leaves(join(stateDir, 'envs'), 4);
  const wanted = live.filter(({ state }) => state !== 'broken').map(({ directory }) => directory);
  const allowed = live.map(({ directory }) => directory);
  return [
    ...found.filter((path) => !allowed.includes(path)).map((path) => `directory ${path} is of no env`),
    ...wanted.filter((path) => !found.includes(path)).map((path) => `directory ${path} is missing`),
  ];
}

function leaves(path: string, depth: number): string[] {
  if (!existsSync(path)) return [];
  if (depth === 0) return [path];
  const inside = readdirSync(path).map((name) => join(path, name));
  // An empty one is as wrong as one too many; the root itself may stay.
  if (inside.length === 0) return depth === 4 ? [] : [path];
  return inside.flatMap((child) => leaves(child, depth - 1));
}

function eventLogs({ events, unfinished }: Rows): string[] {
  const wrong: string[] = [];
  for (const [envId, log] of events) {
    if (log.some(({ seq }, index) => seq !== index + 1)) wrong.push(`the events of ${envId} have a gap`);
    for (const id of new Set(log.map(({ operation }) => operation))) {
      if (id === '' || unfinished.some((operation) => operation.id === id)) continue;
      const ends = log.filter((event) => event.operation === id && TERMINAL.includes(event.type)).length;
      if (ends !== 1) wrong.push(`operation ${id} of ${envId} has ${ends} terminal events`);
    }
  }
  return wrong;
}

async function dockers({ owner, docker }: Place, { live }: Rows): Promise<string[]> {
  const filter = ['--filter', `label=dev.berth.owner=${owner}`, '--filter', 'label=dev.berth.kind=env'];
  const listed = async (args: string[], format: string): Promise<string[][]> =>
    (await docker(...args, ...filter, '--format', format))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
  const env = '{{.Label "dev.berth.env"}}';
  const [containers, networks, volumes] = await Promise.all([
    listed(['ps', '-a', '--no-trunc'], `${env}\t{{.ID}}\t{{.State}}\t{{.Names}}`),
    listed(['network', 'ls'], `${env}\t{{.Name}}`),
    listed(['volume', 'ls'], `${env}\t{{.Name}}`),
  ]);
  const wrong: string[] = [];
  for (const [kind, things] of Object.entries({
    container: containers,
    network: networks,
    volume: volumes,
  })) {
    for (const [envId, ...names] of things)
      if (!live.some(({ id }) => id === envId))
        wrong.push(`${kind} ${names.at(-1)} of ${envId}, which is not live`);
  }
  for (const row of live) wrong.push(...ofOne(row, containers, networks));
  return wrong;
}

function ofOne(env: EnvRow, containers: string[][], networks: string[][]): string[] {
  const own = containers.filter(([envId]) => envId === env.id);
  const wrong = own
    .filter(([, id]) => !env.containers.includes(id!))
    .map(([, , , name]) => `container ${name} is not in the row of ${env.id}`);
  if (env.state === 'broken') return wrong;
  const lacking = env.containers.filter((id) => !own.some((container) => container[1] === id));
  wrong.push(...lacking.map((id) => `container ${id} of ${env.id} is missing`));
  if (env.containers.length === 0) wrong.push(`${env.id} is ${env.state} and has no containers`);
  const state = env.state === 'running' ? 'running' : 'exited';
  wrong.push(
    ...own
      .filter((container) => container[2] !== state)
      .map(([, , is, name]) => `${name} is ${is}, not ${state}`),
  );
  if (!networks.some(([envId]) => envId === env.id)) wrong.push(`${env.id} has no network`);
  return wrong;
}

/** Schemas and users on the shared server, where there is one. */
async function databases({ owner, docker }: Place, { live }: Rows): Promise<string[]> {
  const server = sharedServerOf(owner);
  if ((await docker('ps', '-q', '--filter', `name=^${server}$`)) === '') return [];
  const sql = `
    SELECT 'schema', schema_name FROM information_schema.schemata
      WHERE schema_name NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema', 'berth');
    SELECT 'user', user FROM mysql.user WHERE user LIKE 'env%';
    SELECT 'entry', env_id FROM berth.envs;`;
  const client =
    'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mysql --protocol=TCP -h127.0.0.1 -uroot -N -B -e "$0"';
  const found = (await docker('exec', server, 'sh', '-c', client, sql))
    .split('\n')
    .filter((line) => line !== '');
  const wanted = live
    .filter(({ database }) => database === 'shared')
    .flatMap(({ id }) => [`schema\t${id.replace('-', '_')}`, `user\t${id}`, `entry\t${id}`]);
  return [
    ...found
      .filter((line) => !wanted.includes(line))
      .map((line) => `${line.replace('\t', ' ')} is of no env`),
    ...wanted.filter((line) => !found.includes(line)).map((line) => `${line.replace('\t', ' ')} is missing`),
  ];
}
