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
  /** The longest wait for another process that creates a database. Default 30 s. */
  readonly waitMs?: number | undefined;
}

const lock = "plumbline.create-database";

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
    await takeLock(client, options.waitMs ?? 30_000);
    const owner = escapeIdentifier(options.owner);
    const database = escapeIdentifier(name);
    // The log has every statement that fails, as this one does if the role exists.
    await unlessThere(client, `CREATE ROLE ${owner} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE`);
    await client.query("SET log_min_error_statement = panic");
    if (secret !== "") await client.query(`ALTER ROLE ${owner} PASSWORD ${escapeLiteral(secret)}`);
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

/**
 * Waits for other processes that create a database. Two concurrent changes of one role would fail:
 * "tuple concurrently updated". The lock is released with the connection. Rejects after `waitMs`
 * with the session that holds it.
 */
async function takeLock(client: Client, waitMs: number): Promise<void> {
  await client.query(`SET lock_timeout = ${waitMs}`);
  try {
    await client.query(`SELECT pg_advisory_lock(hashtextextended('${lock}', 0))`);
  } catch (error) {
    if ((error as DatabaseError).code !== "55P03" /* lock_not_available */) throw error;
    const { rows } = await client.query<{ holder: string }>(
      `SELECT format('"%s", process %s of the server, connected for %s s', a.application_name, a.pid,
                round(extract(epoch FROM clock_timestamp() - a.backend_start))) AS holder
       FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid), (SELECT hashtextextended('${lock}', 0) AS key) AS k
       WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
         AND l.classid = ((k.key >> 32) & 4294967295)::oid AND l.objid = (k.key & 4294967295)::oid`,
    );
    const holder = rows[0]?.holder ?? "a session that just ended";
    const message = `waited ${waitMs} ms to create a database, because another program does so: ${holder}. Let it end, or end its session`;
    throw new Error(message, { cause: error });
  }
}
