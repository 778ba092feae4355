import type { Abortable } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";

const batch = 1_000;
const maxRounds = 100;

/**
 * Deletes what is older than its topic's retention, from the low end of each partition, in batches that are short
 * transactions. Of many processes one does it at a time. A round is bounded; what is left waits for the next.
 */
export async function sweepMessages(database: Database, options: Abortable = {}): Promise<number> {
  let deleted = 0;
  for (let round = 0; round < maxRounds; round++) {
    const count = await database.transaction(async (tx) => {
      const lock = "SELECT pg_try_advisory_xact_lock(hashtextextended('plumbline.messaging.sweep', 0)) AS taken";
      const [row] = await tx.query<{ taken: boolean }>(lock);
      if (row?.taken !== true) return 0;
      const gone = await tx.query<{ one: number }>(sweepSql, [batch]);
      return gone.length;
    }, options);
    deleted += count;
    if (count < batch) break;
  }
  return deleted;
}

// A partition's oldest messages are its lowest offsets, so the primary key finds them and no index on the time is needed.
const sweepSql = `
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
