import type { Abortable } from "@plumbline/concurrency";
import type { Queryable } from "@plumbline/postgres";
import type { Tracer } from "@plumbline/telemetry";
import { defaultMaxMessageBytes, refuseLarge } from "../limits.ts";
import type { Message } from "../message.ts";
import { messageColumns, rowValues } from "../message-row.ts";
import { outboxChannel } from "./migration.ts";

export interface AppendOptions extends Abortable {
  /**
   * Writes the active span into the message's headers, so that its consumers continue the trace.
   */
  readonly tracer?: Tracer | undefined;
  /** The broker's limit. */
  readonly maxMessageBytes?: number | undefined;
}

// The notification is part of the transaction. The commit sends it once, however many rows there
// are, and a rollback sends none.
const appendSql = `
  WITH stored AS (
    INSERT INTO outbox (topic, message_id, ${messageColumns})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
  )
  SELECT pg_notify('${outboxChannel}', '')`;

/**
 * Stores a message in the transaction of the change that it announces, so that both happen or
 * neither. A relay publishes it after the commit.
 *
 * Order per key requires that transactions of one key exclude each other before they append. They
 * do if each locks or updates the row that the key names. Append after that lock: then the order of
 * the rows is the order of the commits.
 */
export async function appendToOutbox(
  tx: Queryable,
  topic: string,
  message: Message,
  options: AppendOptions = {},
): Promise<void> {
  const { tracer, signal, maxMessageBytes = defaultMaxMessageBytes } = options;
  const headers = { ...message.headers };
  tracer?.inject(headers);
  // A message that is too large fails the caller here. The relay could only set it aside.
  const stored = { ...message, headers };
  refuseLarge([stored], maxMessageBytes);
  await tx.query(appendSql, [topic, message.id, ...rowValues(stored)], { signal, name: "outbox_append" });
}
