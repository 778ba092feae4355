import type { Queryable } from "@plumbline/postgres";

/**
 * The lag of each group in each partition of its topic. Messages that retention deleted do not
 * count: a position below the oldest kept message counts from that message.
 */
export const partitionLags = `
  SELECT p.topic, g.name AS group, p.partition, p.next_offset AS end, s.position AS committed,
    p.next_offset - greatest(coalesce(s.position, 0), coalesce(oldest."offset", p.next_offset)) AS lag
  FROM partitions AS p
    JOIN consumer_groups AS g ON g.topic = p.topic
    LEFT JOIN positions AS s ON s.group_id = g.id AND s.partition = p.partition
    LEFT JOIN LATERAL (
      SELECT "offset" FROM messages AS m
      WHERE m.topic = p.topic AND m.partition = p.partition ORDER BY "offset" LIMIT 1
    ) AS oldest ON true`;

/** Returns the number of messages of the topic that the group has not handled. */
export async function groupLag(on: Queryable, topic: string, group: string): Promise<number> {
  const sql = `SELECT coalesce(sum(lag), 0)::float8 AS lag FROM (${partitionLags} WHERE p.topic = $1 AND g.name = $2) AS lags`;
  const [row] = await on.query<{ lag: number }>(sql, [topic, group], { name: "messaging_lag" });
  return row?.lag ?? 0;
}
