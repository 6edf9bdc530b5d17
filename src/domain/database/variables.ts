/** How an app reaches its database. */
export interface DatabaseConnection {
  /** As the app sees it. */
  host: string;
  port: number;
  name: string;
  user: string;
  password: string;
}

/** What is recorded of a database that was made. No secrets. */
export interface RecordedDatabase {
  provider: string;
  /** As the app sees it. */
  host: string;
  port: number;
  schema: string;
  user: string;
  /** Connections that the user may have at once. */
  maxConnections: number;
}

/** The app's variables (features D13). `DB_URL` is for JDBC, `DATABASE_URL` is what other drivers and frameworks read. */
export function databaseVariables(connection: DatabaseConnection): Record<string, string> {
  const { host, port, name, user, password } = connection;
  const path = encoded(name);
  return {
    DB_HOST: host,
    DB_PORT: String(port),
    DB_NAME: name,
    DB_USER: user,
    DB_PASSWORD: password,
    // Without TLS a driver asks the server for its public key to send the password; it must be allowed to.
    DB_URL: `jdbc:mysql://${host}:${port}/${path}?useSSL=false&allowPublicKeyRetrieval=true`,
    DATABASE_URL: `mysql://${encoded(user)}:${encoded(password)}@${host}:${port}/${path}`,
  };
}

/** Brackets and the like mean something to JDBC, and encodeURIComponent leaves them. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
