import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatDuration } from '../env/compose/duration.js';
import { yamlList, yamlScalar } from '../env/compose/scalar.js';
import type { UndoneThing } from '../env/model.js';
import { quotedName, quotedPattern, quotedText } from './names.js';
import type { DatabasePasswords } from './passwords.js';
import {
  HIDDEN,
  type DatabaseProvider,
  type DatabaseRequest,
  type DatabaseTarget,
  type HeldDatabase,
  type PreparedDatabase,
} from './provider.js';
import { databaseVariables } from './variables.js';

/** The service's name in the compose file, which is its host name for the app. */
export const DATABASE_SERVICE = 'db';
const PORT = 3306;
const VOLUME = 'berth-database';
/** Schema and user, where the app asks for no other: the server is the env's own. */
const DEFAULT_NAME = 'app';
const USER = 'app';
const DEFAULT_MAX_CONNECTIONS = 5;
/** Processes and threads of the server. */
const PIDS = 512;
const STOP_GRACE_MS = 30_000;
const SQL_FILE = 'standalone.sql';
const MIB = 1024 * 1024;

export interface StandaloneProviderOptions {
  passwords: DatabasePasswords;
  settings: {
    memoryBytes: number;
    cpuMillis: number;
  };
  /** The image to take for what metadata asks for, if anything. @throws IMAGE_NOT_FOUND */
  image: (wanted: string | undefined, signal: AbortSignal) => Promise<string>;
}

interface ServerPasswords {
  user: string;
  root: string;
}

/**
 * A MySQL server in the env's own project. All of it is in the compose file: the container, its data in a named volume,
 * and the SQL that a new volume is filled with by the image's own set-up.
 */
export class StandaloneDatabaseProvider implements DatabaseProvider {
  readonly name = 'standalone';
  readonly awaitsAppHealth = false;

  constructor(private readonly options: StandaloneProviderOptions) {}

  async prepare(
    { envId, directory, initSqlFile, keptSchema }: DatabaseTarget,
    wanted: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<PreparedDatabase> {
    const { image, passwords } = this.options;
    // The image's set-up fills a new volume only: what is in the one that is kept has the name that it had.
    const request = keptSchema === undefined ? wanted : { ...wanted, name: keptSchema };
    const described = this.#describe(envId, directory, request, await image(request.image, signal), {
      user: passwords.of(`env:${envId}`),
      root: passwords.of(`env:${envId}:root`),
    });
    const sql = await setUpSql(request.name ?? DEFAULT_NAME, initSqlFile);
    await writeFile(join(directory, SQL_FILE), sql, { mode: 0o644 });
    return described;
  }

  async preview(
    { envId, directory }: Pick<DatabaseTarget, 'envId' | 'directory'>,
    request: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<PreparedDatabase> {
    const image = await this.options.image(request.image, signal);
    return this.#describe(envId, directory, request, image, { user: HIDDEN, root: HIDDEN });
  }

  #describe(
    envId: string,
    directory: string,
    request: DatabaseRequest,
    image: string,
    passwords: ServerPasswords,
  ): PreparedDatabase {
    const name = request.name ?? DEFAULT_NAME;
    const sqlFile = join(directory, SQL_FILE);
    const connection = {
      host: DATABASE_SERVICE,
      port: PORT,
      name,
      user: USER,
      password: passwords.user,
    };
    const yaml = this.#service({ envId, image, name, sqlFile, request, passwords });
    return {
      environment: databaseVariables(connection),
      services: [{ name: DATABASE_SERVICE, yaml }],
      volumes: [{ key: VOLUME, name: `${envId}_${VOLUME}` }],
      network: '',
      detail: `${image} in the env's own project`,
      data: {
        provider: this.name,
        host: DATABASE_SERVICE,
        port: PORT,
        schema: name,
        user: USER,
        maxConnections: request.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
      },
    };
  }

  // Container and volume are the project's, and are removed with it.

  async abandon(): Promise<UndoneThing[]> {
    return [];
  }

  async remove(): Promise<UndoneThing[]> {
    return [];
  }

  async reset(): Promise<UndoneThing[]> {
    return [];
  }

  async tend(): Promise<void> {}

  async listHeld(): Promise<HeldDatabase[]> {
    return [];
  }

  #service({
    envId,
    image,
    name,
    sqlFile,
    request,
    passwords,
  }: {
    envId: string;
    image: string;
    name: string;
    sqlFile: string;
    request: DatabaseRequest;
    passwords: ServerPasswords;
  }): string {
    const { settings } = this.options;
    const memory = yamlScalar(`${Math.ceil(settings.memoryBytes / MIB)}m`);
    const command = [
      'mysqld',
      // A replica would need them; nobody replicates an env.
      '--skip-log-bin',
      // Half of the server's memory, for figures that nobody reads.
      '--performance-schema=OFF',
      `--max-user-connections=${request.maxConnections ?? DEFAULT_MAX_CONNECTIONS}`,
    ];
    return [
      `  ${DATABASE_SERVICE}:`,
      `    image: ${yamlScalar(image)}`,
      `    container_name: ${yamlScalar(`${envId}-${DATABASE_SERVICE}`)}`,
      `    command: ${yamlList(command)}`,
      '    environment:',
      `      MYSQL_USER: ${yamlScalar(USER)}`,
      `      MYSQL_PASSWORD: ${yamlScalar(passwords.user)}`,
      `      MYSQL_ROOT_PASSWORD: ${yamlScalar(passwords.root)}`,
      // The administrator signs in from inside of the container only.
      '      MYSQL_ROOT_HOST: "localhost"',
      '    volumes:',
      '      - type: "volume"',
      `        source: "${VOLUME}"`,
      '        target: "/var/lib/mysql"',
      '      - type: "bind"',
      `        source: ${yamlScalar(sqlFile)}`,
      '        target: "/docker-entrypoint-initdb.d/init.sql"',
      '        read_only: true',
      '    networks:',
      '      env: {}',
      '    healthcheck:',
      `      test: ${yamlList(healthTest(name))}`,
      '      interval: "10s"',
      '      timeout: "5s"',
      '      start_period: "2m0s"',
      '      retries: 6',
      `    mem_limit: ${memory}`,
      `    memswap_limit: ${memory}`,
      `    cpus: ${settings.cpuMillis / 1000}`,
      `    pids_limit: ${PIDS}`,
      '    cap_drop: ["ALL"]',
      // The entrypoint takes the data folder over, looks after a server for the set-up, and gives up root.
      '    cap_add: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"]',
      '    security_opt: ["no-new-privileges:true"]',
      '    restart: "unless-stopped"',
      `    stop_grace_period: ${yamlScalar(formatDuration(STOP_GRACE_MS))}`,
      '    logging:',
      '      driver: "json-file"',
      '      options:',
      '        max-size: "10m"',
      '        max-file: "3"',
    ].join('\n');
  }
}

/**
 * Healthy is who answers a query of the app's user on the app's schema over TCP. The password comes from the container's
 * own variable, so it is in no argument.
 */
function healthTest(name: string): string[] {
  const script =
    'MYSQL_PWD="$MYSQL_PASSWORD" exec mysql --no-defaults --protocol=TCP --host=127.0.0.1 ' +
    `--user=${USER} --database="$1" --connect-timeout=4 --execute="SELECT 1"`;
  return ['CMD', 'sh', '-c', script, 'health', name];
}

/** How many lines of the file come before the app's own. */
export const SET_UP_LINES = 1;

/**
 * What the image's set-up runs on an empty volume: the schema, by Berth, since images do not quote every name rightly, and
 * then the app's SQL in it. Berth's part is one line.
 */
async function setUpSql(name: string, initSqlFile: string | undefined): Promise<Buffer> {
  const schema = quotedName(name);
  const own =
    `CREATE DATABASE ${schema} CHARACTER SET utf8mb4; ` +
    `GRANT ALL ON ${quotedPattern(name)}.* TO ${quotedText(USER)}@'%'; USE ${schema};\n`;
  return Buffer.concat([
    Buffer.from(own),
    initSqlFile === undefined ? Buffer.alloc(0) : await readFile(initSqlFile),
  ]);
}
