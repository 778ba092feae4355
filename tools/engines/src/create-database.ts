import { Client, type DatabaseError, escapeIdentifier, escapeLiteral } from "pg";
import { passwordOf } from "./superuser-password.ts";

export interface DatabaseOptions {
  /** The role that owns the database and logs in to it. It is created if it does not exist. */
  readonly owner: string;
  /**
   * The role's password. It is set on each call, so that a change takes effect. Without one it is
   * made of the superuser's.
   */
  readonly password?: string | undefined;
}

/**
 * Creates a database and the one role that may use it, and returns that role's URL. So a
 * compromised service cannot reach the data of another. Does nothing if both exist. Several
 * processes may call it at once.
 * @param adminUrl URL of a superuser, on any database of the server
 */
export async function createDatabase(adminUrl: string, name: string, options: DatabaseOptions): Promise<string> {
  const url = new URL(adminUrl);
  const derived = url.password === "" ? "" : passwordOf(options.owner, decodeURIComponent(url.password));
  const secret = options.password ?? derived;
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    // Two concurrent changes of one role would fail: "tuple concurrently updated". The lock is
    // released
    // with the connection.
    await client.query("SELECT pg_advisory_lock(hashtextextended('plumbline.create-database', 0))");
    const owner = escapeIdentifier(options.owner);
    const database = escapeIdentifier(name);
    const password = secret === "" ? "" : ` PASSWORD ${escapeLiteral(secret)}`;
    await unlessThere(client, `CREATE ROLE ${owner} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE${password}`);
    if (password !== "") await client.query(`ALTER ROLE ${owner}${password}`);
    await unlessThere(client, `CREATE DATABASE ${database} OWNER ${owner}`);
    // By default every role may connect to every database.
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  } finally {
    await client.end();
  }
  url.username = encodeURIComponent(options.owner);
  url.password = encodeURIComponent(secret);
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
