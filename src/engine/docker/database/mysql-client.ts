import type { SqlSession } from '../../../domain/database/server-engine.js';

const OPTIONS = [
  '--no-defaults',
  '--protocol=TCP',
  '--host=127.0.0.1',
  '--port=3306',
  '--connect-timeout=10',
  '--default-character-set=utf8mb4',
  '--batch',
  '--raw',
  '--skip-column-names',
  // Of the client's own commands only "delimiter" is left: a file of an app must not start programs or read files here.
  '--binary-mode',
  '--local-infile=0',
];

/** Reads all of its input, also behind a statement that failed: else the connection breaks before the error arrives. */
const CLIENT = 'mysql "$@"; code=$?; cat > /dev/null; exit $code';

/** How MySQL's client in the server's container is started. Passwords are in variables, never in arguments. */
export function mysqlClient(session: SqlSession): { command: string[]; env: string[] } {
  if (session === 'administrator') {
    return {
      command: [
        'sh',
        '-c',
        `export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"; ${CLIENT}`,
        'mysql',
        ...OPTIONS,
        '--user=root',
      ],
      env: [],
    };
  }
  const { user, schema, password } = session;
  return {
    command: ['sh', '-c', CLIENT, 'mysql', ...OPTIONS, `--user=${user}`, `--database=${schema}`],
    // An exec inherits the container's variables, and the administrator's password is one.
    env: [`MYSQL_PWD=${password}`, 'MYSQL_ROOT_PASSWORD='],
  };
}
