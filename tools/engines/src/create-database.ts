import { Client, type DatabaseError, escapeIdentifier, escapeLiteral } from "pg";

export interface DatabaseOptions {
  /** The role that owns the database and logs in to it, made when absent. */
  readonly owner: string;
  /** The role's password; set on each call, so that a changed one takes effect. */
  readonly password?: string | undefined;
}

/**
 * Makes a database and the one role that may use it, and returns that role's url: a service that is taken over reaches
 * no other service's data. Does nothing where both exist; safe to call from several processes at once.
 * @param adminUrl of a superuser, on any database of the server
 */
export async function createDatabase(adminUrl: string, name: string, options: DatabaseOptions): Promise<string> {
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    // Two that alter one role at the same moment would fail: "tuple concurrently updated". Freed with the connection.
    await client.query("SELECT pg_advisory_lock(hashtextextended('plumbline.create-database', 0))");
    const owner = escapeIdentifier(options.owner);
    const database = escapeIdentifier(name);
    const password = options.password === undefined ? "" : ` PASSWORD ${escapeLiteral(options.password)}`;
    await unlessThere(client, `CREATE ROLE ${owner} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE${password}`);
    if (password !== "") await client.query(`ALTER ROLE ${owner}${password}`);
    await unlessThere(client, `CREATE DATABASE ${database} OWNER ${owner}`);
    // By default every role may connect to every database.
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  } finally {
    await client.end();
  }
  const url = new URL(adminUrl);
  url.username = encodeURIComponent(options.owner);
  url.password = encodeURIComponent(options.password ?? "");
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

async function unlessThere(client: Client, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    if (
      !["42P04" /* duplicate_database */, "42710" /* duplicate_object */].includes((error as DatabaseError).code ?? "")
    )
      throw error;
  }
}
