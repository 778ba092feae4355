import { ServiceError } from "@plumbline/errors";
import {
  type Database,
  type DatabaseOptions,
  migrate,
  openDatabase,
  requireMigrated,
  sqlStateOf,
} from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Rights } from "../rights.ts";
import { migrations } from "./migrations.ts";

/**
 * Brings the database to this version, if its role may create tables. The role of one service may
 * not, and then the owner must have done so. Older versions that restart during a rollout find
 * newer migrations.
 */
export async function migrateOrRequire(database: Database): Promise<void> {
  const sql = "SELECT has_schema_privilege(current_schema(), 'CREATE') AS creates";
  const [row] = await database.query<{ creates: boolean | null }>(sql);
  if (row?.creates === true) {
    await migrate(database, migrations, { allowNewer: true });
    return;
  }
  try {
    await requireMigrated(database, migrations);
  } catch (error) {
    throw sqlStateOf(error) === "42501" ? notAllowed("MESSAGING_NOT_ALLOWED", error) : error;
  }
}

/**
 * Lets a role publish to its own topics and consume its own subscriptions. Adds to what the role
 * has and takes nothing away, because the version before still runs during a rollout. The URL is
 * that of the owner of the tables. Rejects with `failed_precondition` if there is no such role.
 */
export async function grantOnPostgres(
  {
    url,
    applicationName = "messaging",
  }: Pick<DatabaseOptions, "url"> & { readonly applicationName?: string | undefined },
  role: string,
  { publishes, consumes }: Rights,
  telemetry: Telemetry,
): Promise<void> {
  await using database = await openDatabase({ url, applicationName, poolSize: 1 }, telemetry);
  await migrateOrRequire(database);
  try {
    await database.transaction(async (tx) => {
      // Two at once would fail: "tuple concurrently updated".
      await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('plumbline.messaging.grant', 0))");
      const [row] = await tx.query<{ sql: string }>(
        "SELECT format($2, quote_ident($1)::regrole, current_database(), current_schema()) AS sql",
        [role, grantSql],
      );
      await tx.query(row?.sql ?? "");
      await tx.query(
        `INSERT INTO publishers (topic, role) SELECT topic, quote_ident($1)::regrole FROM unnest($2::text[]) AS topic
         ON CONFLICT DO NOTHING`,
        [role, publishes],
      );
      await tx.query(
        `INSERT INTO consumers (topic, group_name, role)
         SELECT topic, name, quote_ident($1)::regrole FROM unnest($2::text[], $3::text[]) AS t (topic, name)
         ON CONFLICT DO NOTHING`,
        [role, consumes.map(({ topic }) => topic), consumes.map(({ group }) => group)],
      );
    });
  } catch (cause) {
    if (sqlStateOf(cause) !== "42704") throw cause;
    const message = `the database has no role "${role}": create it with LOGIN and its password, then migrate again`;
    throw new ServiceError("failed_precondition", message, { reason: "MESSAGING_ROLE_MISSING", cause });
  }
}

// 1 is the role, 2 the database, 3 the schema. No table can be written but through its policies.
const grantSql = `
  GRANT CONNECT ON DATABASE %2$I TO %1$s;
  GRANT USAGE ON SCHEMA %3$I TO %1$s;
  GRANT SELECT ON schema_migrations, topics, partitions, messages, consumer_groups, positions, publishers, consumers TO %1$s;
  GRANT INSERT ON consumer_groups TO %1$s;
  GRANT INSERT, UPDATE ON positions TO %1$s;
  GRANT EXECUTE ON FUNCTION publish_messages, delete_expired_messages TO %1$s;`;

/** Returns the error for what the database refused to a role. */
export function notAllowed(reason: string, cause: unknown): ServiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ServiceError(
    "permission_denied",
    `${why}: if its service should, run the service's migrate as the owner, with messaging.role`,
    { reason, cause },
  );
}
