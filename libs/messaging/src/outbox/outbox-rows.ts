import type { Queryable } from "@plumbline/postgres";
import type { Message } from "../message.ts";
import { type MessageRow, messageColumns, messageOf } from "../message-row.ts";

export interface OutboxRow {
  readonly id: bigint;
  readonly topic: string;
  readonly message: Message;
}

interface Row extends MessageRow {
  readonly id: bigint;
  readonly topic: string;
  readonly message_id: string;
}

/** The milliseconds for which the oldest message has waited. */
export const outboxAgeMs = `
  SELECT (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS ms
  FROM outbox WHERE refused IS NULL ORDER BY id LIMIT 1`;

/**
 * Returns the oldest rows, regardless of earlier reads. There is no cursor: ids are assigned at the
 * insert but become visible at the commit. A row may appear after rows with higher ids were sent,
 * and `id > last` would then skip it for good.
 */
export async function oldestRows(on: Queryable, limit: number, maxBytes: number): Promise<OutboxRow[]> {
  const sql = `
    SELECT id, topic, message_id, ${messageColumns}
    FROM (
      SELECT *, sum(octet_length(data)) OVER (ORDER BY id) - octet_length(data) AS bytes_before
      FROM (SELECT * FROM outbox WHERE refused IS NULL ORDER BY id LIMIT $1) AS oldest
    ) AS counted
    WHERE bytes_before < $2 ORDER BY id`;
  const rows = await on.query<Row>(sql, [limit, maxBytes], { name: "outbox_oldest" });
  return rows.map((row) => ({ id: row.id, topic: row.topic, message: messageOf(row.message_id, row) }));
}

/**
 * Deletes rows that the broker has accepted at once, so that the table holds only messages that
 * wait.
 */
export async function deleteRows(on: Queryable, rows: readonly OutboxRow[]): Promise<void> {
  await on.query("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [rows.map(({ id }) => id)], {
    name: "outbox_delete",
  });
}

/** Sets aside a message that the broker rejects for good, so that it does not block all others. */
export async function refuseRow(on: Queryable, row: OutboxRow, why: string): Promise<void> {
  await on.query("UPDATE outbox SET refused = $2 WHERE id = $1", [row.id, why]);
}
