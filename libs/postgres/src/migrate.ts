import { createHash } from "node:crypto";
import { type Abortable, deadline, sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { escapeIdentifier } from "pg";
import type { Database } from "./database.ts";
import { sqlStateOf } from "./errors.ts";
import type { Session } from "./session.ts";

export interface Migration {
  /** Migrations are applied in this order. A number must not be reused. */
  readonly id: number;
  readonly name: string;
  /**
   * One or more statements, run in one transaction. They must not change once applied anywhere.
   *
   * A single `CREATE INDEX CONCURRENTLY name ON table` runs outside of a transaction, so that the
   * table can be written meanwhile.
   */
  readonly sql: string;
}

export interface MigrateOptions extends Abortable {
  /**
   * The table of applied migrations. Default "schema_migrations". Two sets in one database need two
   * tables.
   */
  readonly table?: string | undefined;
  /** The time for waiting for other migrators, and for each migration. Default 60 s. */
  readonly timeoutMs?: number | undefined;
  /** The time for each index that is built while the table is written. Default 1 h. */
  readonly indexTimeoutMs?: number | undefined;
  /**
   * Accepts unknown migrations after the known ones, for an older version that restarts during a
   * rollout.
   */
  readonly allowNewer?: boolean | undefined;
  /** Called once when another migrator is waited for, with its description. */
  readonly onWait?: ((holder: string) => void) | undefined;
}

/** The pause between two attempts to become the migrator. */
const attemptMs = 200;

interface Applied {
  readonly id: number;
  readonly name: string;
  readonly checksum: string;
}

/**
 * Applies pending migrations in order, each in its own transaction, and returns their number. An
 * index that is built concurrently has none: what a failed attempt left of it is dropped first.
 * Forward only. Several processes may call it at once: one migrates, the others wait and find
 * nothing to do.
 *
 * Throws `failed_precondition` and changes nothing, with the reason MIGRATION_CHANGED (an applied
 * migration was edited), MIGRATION_MISSING (an applied one is unknown), MIGRATION_NEWER (the
 * database is ahead of this program) or MIGRATION_OUT_OF_ORDER (a new one is numbered below an
 * applied one).
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<number> {
  const { table = "schema_migrations", timeoutMs = 60_000, indexTimeoutMs = 3_600_000 } = options;
  const known = inOrder(migrations);
  return await database.session(async (session) => {
    const pending = await within(session, timeoutMs, async (signal) => {
      await becomeMigrator(session, table, { ...options, signal, timeoutMs });
      await session.query(
        `CREATE TABLE IF NOT EXISTS ${escapeIdentifier(table)} (
           id integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
        [],
        { signal },
      );
      const applied = await session.query<Applied>(
        `SELECT id, name, checksum FROM ${escapeIdentifier(table)} ORDER BY id`,
        [],
        { signal },
      );
      return pendingOf(known, applied, options.allowNewer ?? false);
    });
    for (const migration of pending) {
      const index = concurrentIndexOf(migration.sql);
      await within(session, index === undefined ? timeoutMs : indexTimeoutMs, async (signal) => {
        await naming(migration, signal, async () => {
          if (index === undefined) await apply(session, table, migration, signal);
          else await build(session, table, { ...migration, index }, signal);
        });
      });
    }
    return pending.length;
  }, options);
}

async function within<T>(parent: Abortable, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  using limit = deadline(ms, parent);
  return await work(limit.signal);
}

/**
 * Takes the lock of the migrators. Rejects with `deadline_exceeded` and the session that holds it
 * when the time is over. Polls, because a statement that waits holds a snapshot.
 */
async function becomeMigrator(
  session: Session,
  table: string,
  { signal, timeoutMs, onWait }: MigrateOptions,
): Promise<void> {
  const lock = `plumbline.migrate.${table}`;
  let holder: string | undefined;
  try {
    for (;;) {
      const [row] = await session.query<{ taken: boolean }>(
        "SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken",
        [lock],
        { signal },
      );
      if (row?.taken === true) return;
      if (holder === undefined) {
        holder = await holderOf(session, lock, signal);
        onWait?.(holder);
      }
      await sleep(attemptMs, { signal });
    }
  } catch (error) {
    if (holder === undefined || !(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
    const message = `waited ${timeoutMs} ms to migrate, because another migrator is at work: ${holder}. Let it end, or end its session`;
    throw new ServiceError("deadline_exceeded", message, { reason: "MIGRATION_WAITED", cause: error });
  }
}

async function holderOf(session: Session, lock: string, signal: AbortSignal | undefined): Promise<string> {
  const sql = `
    SELECT a.pid, a.application_name AS name, coalesce(host(a.client_addr), 'a socket') AS address,
      round(extract(epoch FROM clock_timestamp() - a.backend_start))::int AS seconds
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid), (SELECT hashtextextended($1, 0) AS key) AS k
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.classid = ((k.key >> 32) & 4294967295)::oid AND l.objid = (k.key & 4294967295)::oid
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  type Row = { pid: number; name: string; address: string; seconds: number };
  const [row] = await session.query<Row>(sql, [lock], { signal });
  if (row === undefined) return "a session that just ended";
  return `"${row.name}" from ${row.address}, process ${row.pid} of the server, connected for ${row.seconds} s`;
}

async function apply(session: Session, table: string, migration: Migration, signal: AbortSignal): Promise<void> {
  await session.transaction(
    async (tx) => {
      await tx.query(migration.sql);
      await tx.query(...recordOf(table, migration));
    },
    { signal },
  );
}

/** The index of a migration that builds one concurrently. */
interface ConcurrentIndex {
  readonly name: string;
  readonly table: string;
}

/**
 * Builds an index while its table is written, and records the migration. Drops an index of this
 * name first, and again if the build fails. The server leaves an invalid one behind, which costs
 * each write and enforces a unique index. A valid one is there if the process ended before the
 * record: nothing says that it is the one of the migration.
 */
async function build(
  session: Session,
  table: string,
  migration: Migration & { readonly index: ConcurrentIndex },
  signal: AbortSignal,
): Promise<void> {
  await dropIndex(session, migration.index, signal);
  try {
    await session.query(migration.sql, [], { signal });
  } catch (error) {
    // A session that is lost drops nothing: the next attempt does.
    if (!signal.aborted) await dropIndex(session, migration.index, signal).catch(() => undefined);
    throw error;
  }
  await session.query(...recordOf(table, migration), { signal });
}

/** Drops the index if it is there, and on the table. Waits for transactions that may use it. */
async function dropIndex(session: Session, { name, table }: ConcurrentIndex, signal: AbortSignal): Promise<void> {
  const [found] = await session.query<{ index: string }>(
    `SELECT indexrelid::regclass::text AS index FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
     WHERE c.relname = (parse_ident($1))[1] AND indrelid = to_regclass($2)`,
    [name, table],
    { signal },
  );
  if (found !== undefined) await session.query(`DROP INDEX CONCURRENTLY ${found.index}`, [], { signal });
}

const identifier = String.raw`(?:[a-z_][a-z0-9_$]*|"[^"]+")`;
const concurrentIndex = new RegExp(
  String.raw`^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?<name>${identifier})\s+ON\s+` +
    String.raw`(?<table>(?:${identifier}\.)?${identifier})[^;]*;?\s*$`,
  "i",
);

/** Returns the index if the SQL is one statement that builds it concurrently and names it. */
function concurrentIndexOf(sql: string): ConcurrentIndex | undefined {
  const { name, table } = concurrentIndex.exec(sql)?.groups ?? {};
  return name === undefined || table === undefined ? undefined : { name, table };
}

function recordOf(table: string, { id, name, sql }: Migration): [sql: string, values: readonly unknown[]] {
  const insert = `INSERT INTO ${escapeIdentifier(table)} (id, name, checksum) VALUES ($1, $2, $3)`;
  return [insert, [id, name, checksumOf(sql)]];
}

/** Does the work of a migration. Rejects with MIGRATION_FAILED and its name if it fails. */
async function naming(migration: Migration, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    // The server refuses it within a transaction, which several statements are.
    const alone = sqlStateOf(cause) === "25001" ? ": write it as CREATE INDEX CONCURRENTLY name ON table, alone" : "";
    throw new ServiceError("failed_precondition", `migration ${titleOf(migration)} failed: ${why}${alone}`, {
      cause,
      reason: "MIGRATION_FAILED",
    });
  }
}

/** Returns the pending migrations. Throws if the records do not match the list. */
function pendingOf(
  known: readonly Migration[],
  applied: readonly Applied[],
  allowNewer: boolean,
): readonly Migration[] {
  const byId = new Map(known.map((migration) => [migration.id, migration]));
  const newest = known.at(-1)?.id ?? 0;
  for (const record of applied) {
    const migration = byId.get(record.id);
    if (migration === undefined && record.id > newest) {
      if (allowNewer) continue;
      throw refused(
        "NEWER",
        `the database has migration ${titleOf(record)}, which is newer than this program: deploy the version that has it`,
      );
    }
    if (migration === undefined) {
      throw refused(
        "MISSING",
        `migration ${titleOf(record)} was applied to the database but is not in the program: restore it`,
      );
    }
    if (checksumOf(migration.sql) !== record.checksum) {
      throw refused(
        "CHANGED",
        `migration ${titleOf(record)} was changed after it was applied: undo the change and write a new migration`,
      );
    }
  }
  const appliedIds = new Set(applied.map((record) => record.id));
  const last = Math.min(applied.at(-1)?.id ?? 0, newest);
  const pending = known.filter((migration) => !appliedIds.has(migration.id));
  const early = pending.find((migration) => migration.id < last);
  if (early !== undefined) {
    throw refused(
      "OUT_OF_ORDER",
      `migration ${titleOf(early)} comes before ${last}, which was already applied: give it a higher number`,
    );
  }
  return pending;
}

function inOrder(migrations: readonly Migration[]): readonly Migration[] {
  const sorted = [...migrations].sort((a, b) => a.id - b.id);
  for (const [place, { id }] of sorted.entries()) {
    if (!Number.isSafeInteger(id) || id < 1)
      throw new RangeError(`a migration's id must be a whole number from 1, not ${id}`);
    if (sorted[place + 1]?.id === id) throw new RangeError(`two migrations have the id ${id}`);
  }
  return sorted;
}

/** Returns a checksum that does not depend on the line ends of a checkout. */
function checksumOf(sql: string): string {
  return createHash("sha256").update(sql.replaceAll("\r\n", "\n")).digest("hex");
}

function titleOf(migration: { id: number; name: string }): string {
  return `${migration.id} (${migration.name})`;
}

function refused(reason: string, message: string): ServiceError {
  return new ServiceError("failed_precondition", message, { reason: `MIGRATION_${reason}` });
}
