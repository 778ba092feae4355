import assert from "node:assert/strict";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { type Database, type DatabaseOptions, openDatabase } from "../src/index.ts";

/** Opens a database for one test on the shared test server. `url` overrides its address. */
export async function open(options: Partial<DatabaseOptions> = {}, telemetry: Telemetry = noTelemetry) {
  await using stack = new AsyncDisposableStack();
  const place = stack.use(await testDatabase());
  const database = stack.use(await openDatabase({ url: place.url, applicationName: "test", ...options }, telemetry));
  const kept = stack.move();
  return { database, url: place.url, [Symbol.asyncDispose]: async () => await kept.disposeAsync() };
}

/** Waits until `ask` returns true. */
export async function eventually(
  what: string,
  ask: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  while (!(await ask())) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Ends the server's side of a database's idle connections. Resolves once a statement works again:
 * the client may hear of the end a moment after the server has forgotten the connection.
 */
export async function cut(admin: Database, applicationName: string, database: Database): Promise<void> {
  const kill = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = $1";
  assert.ok((await admin.query(kill, [applicationName])).length > 0);
  const works = (): Promise<boolean> =>
    database.query("SELECT 1").then(
      () => true,
      () => false,
    );
  await eventually("a statement works again", works);
}

/** Returns the number of running statements that contain `marker`. */
export async function running(database: Database, marker: string): Promise<number> {
  const rows = await database.query<{ n: bigint }>(
    `SELECT count(*) AS n FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'`,
    [marker],
  );
  return Number(rows[0]?.n);
}

export async function backends(database: Database): Promise<number> {
  const rows = await database.query<{ n: bigint }>(
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  return Number(rows[0]?.n);
}
