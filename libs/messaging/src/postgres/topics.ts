import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Database, Queryable } from "@plumbline/postgres";
import type { TopicOptions } from "../broker.ts";
import { missingTopicError } from "../errors.ts";
import { defaultRetentionMs } from "../limits.ts";
import { isTopicName } from "../topics.ts";
import { membersChannel } from "./migrations.ts";

export interface Topic {
  readonly partitions: number;
  readonly retentionMs: number;
}

/** What is known of the topics. They never change once created, so each is read once; a missing one is asked for again. */
export class Topics {
  readonly #database: Database;
  /** As many as there are topics. */
  readonly #known = new Map<string, Topic>();

  constructor(database: Database) {
    this.#database = database;
  }

  async get(name: string, options: Abortable = {}): Promise<Topic> {
    const topic = await this.find(name, this.#database, options);
    if (topic === undefined) throw missingTopicError(name);
    return topic;
  }

  async find(name: string, on: Queryable, options: Abortable = {}): Promise<Topic | undefined> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const sql = "SELECT partitions, retention_ms FROM topics WHERE name = $1";
    const [row] = await on.query<{ partitions: number; retention_ms: bigint }>(sql, [name], options);
    if (row === undefined) return undefined;
    const topic = { partitions: row.partitions, retentionMs: Number(row.retention_ms) };
    this.#known.set(name, topic);
    return topic;
  }

  async create(names: readonly string[], options: TopicOptions & Abortable): Promise<void> {
    const { partitions, retentionMs = defaultRetentionMs, signal } = options;
    const wrong = names.find((name) => !isTopicName(name));
    if (wrong !== undefined) throw new ServiceError("invalid_argument", `"${wrong}" cannot name a topic`);
    // One statement for topics and partitions: nobody ever sees a topic whose partitions are not there.
    const sql = `
      WITH created AS (
        INSERT INTO topics (name, partitions, retention_ms)
        SELECT name, $2, $3 FROM unnest($1::text[]) AS name ORDER BY name
        ON CONFLICT DO NOTHING RETURNING name
      ), stored AS (
        INSERT INTO partitions (topic, partition)
        SELECT name, partition FROM created, generate_series(0, $2::int - 1) AS partition
      )
      SELECT pg_notify('${membersChannel}', name) FROM created`;
    await this.#database.query(sql, [names, partitions, retentionMs], { signal });
  }
}
