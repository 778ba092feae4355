import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { sqlStateOf } from "./errors.ts";
import type { Migration } from "./migrate.ts";
import type { Queryable } from "./queryable.ts";

/**
 * Throws `failed_precondition` if the database lacks a migration, with the way to apply it. A
 * database that is ahead is accepted, since a newer version may be rolling out.
 */
export async function requireMigrated(
  database: Queryable,
  migrations: readonly Pick<Migration, "id" | "name">[],
  options: Abortable = {},
): Promise<void> {
  const applied = await appliedTo(database, options);
  const missing = migrations.filter(({ id }) => !applied.has(id));
  if (missing.length === 0) return;
  const names = missing.map(({ id, name }) => `${id} (${name})`).join(", ");
  throw new ServiceError(
    "failed_precondition",
    `the database lacks migration ${names}: run this program once with the argument "migrate", then start it again`,
    { reason: "DATABASE_NOT_MIGRATED" },
  );
}

async function appliedTo(database: Queryable, options: Abortable): Promise<ReadonlySet<number>> {
  try {
    const rows = await database.query<{ id: number }>("select id from schema_migrations", [], options);
    return new Set(rows.map(({ id }) => id));
  } catch (error) {
    if (sqlStateOf(error) === "42P01") return new Set(); // No such table: no migration was applied.
    throw error;
  }
}
