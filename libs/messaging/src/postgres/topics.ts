import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Database, Queryable } from "@plumbline/postgres";
import type { TopicOptions } from "../broker.ts";
import { missingTopicError } from "../errors.ts";
import { defaultRetentionMs } from "../limits.ts";
import { isTopicName } from "../topics.ts";
import { membersChannel } from "./migrations.ts";

/** The fixed properties of a topic. */
export interface Topic {
  readonly partitions: number;
  readonly retentionMs: number;
}

/**
 * The cache of topics. A topic never changes once it exists, so each is read once. A missing one is
 * looked up again.
 */
export class Topics {
  readonly #database: Database;
  /** Bounded by the number of topics. */
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
    if (wrong !== undefined) throw new ServiceError("invalid_argument", `"${wrong}" is not a valid topic name`);
    // One statement for topics and partitions, so that no topic is ever visible without its
    // partitions.
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
