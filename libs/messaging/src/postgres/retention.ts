import type { Abortable } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";

const batch = 1_000;
const maxRounds = 100;

/**
 * Deletes messages that are older than their topic's retention, from the low end of each partition,
 * in short transactions. Only one process does so at a time. A run is bounded, and the next one
 * continues.
 */
export async function deleteExpiredMessages(database: Database, options: Abortable = {}): Promise<number> {
  let deleted = 0;
  for (let round = 0; round < maxRounds; round++) {
    const count = await database.transaction(async (tx) => {
      const lock = "SELECT pg_try_advisory_xact_lock(hashtextextended('plumbline.messaging.sweep', 0)) AS taken";
      const [row] = await tx.query<{ taken: boolean }>(lock);
      if (row?.taken !== true) return 0;
      const gone = await tx.query<{ one: number }>(deleteSql, [batch]);
      return gone.length;
    }, options);
    deleted += count;
    if (count < batch) break;
  }
  return deleted;
}

// A partition's oldest messages have its lowest offsets. The primary key finds them, so the time
// needs no index.
const deleteSql = `
  DELETE FROM messages USING (
    SELECT oldest.topic, oldest.partition, oldest."offset"
    FROM partitions JOIN topics ON topics.name = partitions.topic,
      LATERAL (
        SELECT * FROM messages AS m
        WHERE m.topic = partitions.topic AND m.partition = partitions.partition
        ORDER BY m."offset" LIMIT $1
      ) AS oldest
    WHERE oldest.published_at < now() - make_interval(secs => topics.retention_ms / 1000.0)
    LIMIT $1
  ) AS old
  WHERE (messages.topic, messages.partition, messages."offset") = (old.topic, old.partition, old."offset")
  RETURNING 1 AS one`;
