import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Queryable, sqlStateOf } from "@plumbline/postgres";
import type { Message } from "../message.ts";
import { messageColumns, rowValues } from "../message-row.ts";
import { partitionOf } from "../partition-of.ts";
import { messagesChannel } from "./migrations.ts";

/**
 * Appends messages in one statement, which is one transaction and one round trip.
 *
 * The rows of `partitions` stay locked until the commit, and the next publisher gets its offsets
 * only then. Offset order is therefore commit order, and a reader that has seen an offset has seen
 * all lower ones. A sequence would not do: a late commit would appear behind a reader that has
 * passed it. Rows are locked in the order of their numbers, so that two batches cannot deadlock.
 */
const publishSql = `
  WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::bytea[], $10::text[])
      WITH ORDINALITY AS t (partition, id, ${messageColumns}, place)
  ), wanted AS (
    SELECT partition, count(*) AS messages FROM incoming GROUP BY partition
  ), locked AS MATERIALIZED (
    SELECT partition, next_offset FROM partitions
    WHERE topic = $1 AND partition IN (SELECT partition FROM wanted)
    ORDER BY partition FOR UPDATE
  ), moved AS (
    UPDATE partitions SET next_offset = locked.next_offset + wanted.messages
    FROM locked JOIN wanted USING (partition)
    WHERE partitions.topic = $1 AND partitions.partition = locked.partition
  ), stored AS (
    INSERT INTO messages (topic, partition, "offset", id, ${messageColumns})
    SELECT $1, partition, next_offset + row_number() OVER (PARTITION BY partition ORDER BY place) - 1,
      id, source, type, key, time, content_type, data, headers::jsonb
    FROM incoming JOIN locked USING (partition)
  )
  SELECT pg_notify('${messagesChannel}', $1)`;

/** Appends all messages or none to a topic with that many partitions. */
export async function publishTo(
  database: Queryable,
  topic: string,
  partitions: number,
  messages: readonly Message[],
  options: Abortable,
): Promise<void> {
  const rows = messages.map((message) => [partitionOf(message.key, partitions), message.id, ...rowValues(message)]);
  const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
  try {
    await database.query(publishSql, [topic, ...columns], { ...options, name: "messaging_publish" });
  } catch (error) {
    // Class 22 is data exceptions, such as a NUL character or half a surrogate pair.
    if (!sqlStateOf(error)?.startsWith("22")) throw error;
    throw new ServiceError("invalid_argument", "a message contains text that PostgreSQL cannot store", {
      cause: error,
    });
  }
}
