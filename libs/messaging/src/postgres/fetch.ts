import type { Queryable } from "@plumbline/postgres";
import type { Message } from "../message.ts";

/** A message and its location. */
export interface Fetched {
  readonly partition: number;
  readonly offset: bigint;
  readonly message: Message;
}

interface Row {
  readonly partition: number;
  readonly offset: bigint;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly key: string;
  readonly time: Date;
  readonly content_type: string;
  readonly data: Buffer;
  readonly headers: Record<string, string>;
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
    SELECT m.partition, m."offset", id, source, type, key, time, content_type, data, headers
    FROM unnest($2::int[], $3::bigint[]) AS wanted (partition, position),
      LATERAL (
        SELECT * FROM messages
        WHERE topic = $1 AND messages.partition = wanted.partition AND "offset" >= wanted.position
        ORDER BY "offset" LIMIT $4
      ) AS m
    ORDER BY m."offset"`;
  const values = [topic, [...positions.keys()], [...positions.values()], limit];
  const rows = await session.query<Row>(sql, values, { name: "messaging_fetch" });
  return rows.map(({ partition, offset, content_type, ...attributes }) => ({
    partition,
    offset,
    message: { ...attributes, contentType: content_type },
  }));
}
