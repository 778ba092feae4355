import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Database, openDatabase } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import { missingTopicError } from "../errors.ts";
import { fetchFrom } from "../postgres/fetch.ts";
import { partitionLags } from "../postgres/lag.ts";
import type { GroupLag, Inspector, LogEntry, TopicSummary } from "./inspector.ts";

const fetchSize = 200;

export async function openPostgresInspector(
  url: string | { reveal(): string },
  telemetry: Telemetry,
): Promise<Inspector> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(
    await openDatabase({ url, applicationName: "messaging-inspector", poolSize: 1 }, telemetry),
  );
  // Does not migrate, because reading must not create anything.
  const [found] = await database.query<{ there: boolean }>(
    "SELECT to_regclass('consumer_groups') IS NOT NULL AS there",
  );
  if (found?.there !== true) {
    throw new ServiceError("failed_precondition", "the database has no tables of the postgres adapter", {
      reason: "NOT_A_MESSAGING_DATABASE",
    });
  }
  opened.move();
  return new PostgresInspector(database);
}

class PostgresInspector implements Inspector {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async topics(options: Abortable = {}): Promise<TopicSummary[]> {
    const sql = 'SELECT name, partitions FROM topics ORDER BY name COLLATE "C"';
    return await this.#database.query<TopicSummary>(sql, [], options);
  }

  async read(topics: readonly string[], visit: (entry: LogEntry) => void, options: Abortable = {}): Promise<void> {
    await this.#refuseMissing(topics, options);
    for (const topic of topics) {
      const sql = "SELECT partition, next_offset AS end FROM partitions WHERE topic = $1 ORDER BY partition";
      const partitions = await this.#database.query<{ partition: number; end: bigint }>(sql, [topic], options);
      for (const { partition, end } of partitions) {
        let position = 0n;
        while (position < end) {
          options.signal?.throwIfAborted();
          const fetched = await fetchFrom(this.#database, topic, new Map([[partition, position]]), fetchSize);
          for (const { offset, message } of fetched) {
            if (offset < end) visit({ topic, partition, offset, message });
          }
          position = (fetched.at(-1)?.offset ?? end) + 1n;
        }
      }
    }
  }

  async lag(topics: readonly string[], options: Abortable = {}): Promise<GroupLag[]> {
    await this.#refuseMissing(topics, options);
    const sql = `${partitionLags}
      WHERE p.topic = ANY($1) ORDER BY p.topic COLLATE "C", g.name COLLATE "C", p.partition`;
    const rows = await this.#database.query<Omit<GroupLag, "committed"> & { committed: bigint | null }>(
      sql,
      [topics],
      options,
    );
    return rows.map((row) => ({ ...row, committed: row.committed ?? undefined }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }

  async #refuseMissing(topics: readonly string[], options: Abortable): Promise<void> {
    const existing = new Set((await this.topics(options)).map(({ name }) => name));
    const missing = topics.find((topic) => !existing.has(topic));
    if (missing !== undefined) throw missingTopicError(missing);
  }
}
