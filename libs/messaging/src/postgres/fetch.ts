import type { Queryable } from "@plumbline/postgres";
import type { Message } from "../message.ts";
import { type MessageRow, messageColumns, messageOf } from "../message-row.ts";

/** A message and its location. */
export interface Fetched {
  readonly partition: number;
  readonly offset: bigint;
  readonly message: Message;
}

interface Row extends MessageRow {
  readonly partition: number;
  readonly offset: bigint;
  readonly id: string;
}

/**
 * Returns the next messages from each position on, at most `limit` per partition, so that a
 * partition with a long backlog does not starve the others.
 */
export async function fetchFrom(
  session: Queryable,
  topic: string,
  positions: ReadonlyMap<number, bigint>,
  limit: number,
): Promise<Fetched[]> {
  const sql = `
    SELECT m.partition, m."offset", id, ${messageColumns}
    FROM unnest($2::int[], $3::bigint[]) AS wanted (partition, position),
      LATERAL (
        SELECT * FROM messages
        WHERE topic = $1 AND messages.partition = wanted.partition AND "offset" >= wanted.position
        ORDER BY "offset" LIMIT $4
      ) AS m
    ORDER BY m."offset"`;
  const values = [topic, [...positions.keys()], [...positions.values()], limit];
  const rows = await session.query<Row>(sql, values, { name: "messaging_fetch" });
  return rows.map((row) => ({ partition: row.partition, offset: row.offset, message: messageOf(row.id, row) }));
}
