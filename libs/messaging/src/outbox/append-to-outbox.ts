import type { Abortable } from "@plumbline/concurrency";
import type { NamedStatement, Queryable } from "@plumbline/postgres";
import type { Tracer } from "@plumbline/telemetry";
import { defaultMaxMessageBytes, refuseLarge } from "../limits.ts";
import type { Message } from "../message.ts";
import { messageColumns, rowValues } from "../message-row.ts";
import { asleepLock, outboxChannel } from "./migration.ts";

export interface StoreOptions {
  /**
   * Writes the active span into the message's headers, so that its consumers continue the trace.
   */
  readonly tracer?: Tracer | undefined;
  /** The broker's limit. */
  readonly maxMessageBytes?: number | undefined;
}

export interface AppendOptions extends StoreOptions, Abortable {}

const columnTypes = ["text", "text", "text", "text", "text", "timestamptz", "text", "bytea", "text"];
const columns = `topic, message_id, ${messageColumns}`;

/**
 * Returns SQL that stores a message for each row of the CTE `from`, which has the columns of
 * `outboxColumns`, and wakes the relay. It is the end of a statement whose other CTEs make the
 * changes that the messages announce. `from` is a name of the code, never data.
 */
export function outboxSql(from: string): string {
  // The notification is part of the transaction. The commit sends it once, however many rows there
  // are, and a rollback sends none. Commits that notify take turns on the whole server, so none
  // does while the relay is awake.
  return `stored AS (
      INSERT INTO outbox (${columns}) SELECT ${columns.replace("headers", "headers::jsonb")} FROM ${from}
    )
    SELECT CASE WHEN NOT pg_try_advisory_xact_lock_shared(${asleepLock}) THEN pg_notify('${outboxChannel}', '') END
    WHERE EXISTS (SELECT FROM ${from})`;
}

/**
 * Returns the columns of a message that `outboxSql` stores, and their types as parameters. Their
 * values are `outboxValues`.
 */
export const outboxColumns: readonly { readonly name: string; readonly type: string }[] = columns
  .split(", ")
  .map((name, index) => ({ name, type: columnTypes[index] ?? "text" }));

const message = outboxColumns.map(({ name, type }, index) => `$${index + 1}::${type} AS ${name}`).join(", ");
const appendSql = `WITH message AS (SELECT ${message}), ${outboxSql("message")}`;

/** Returns the values of `outboxColumns`. Throws `invalid_argument` for too large a message. */
export function outboxValues(topic: string, message: Message, options: StoreOptions = {}): readonly unknown[] {
  const { tracer, maxMessageBytes = defaultMaxMessageBytes } = options;
  const headers = { ...message.headers, ...tracer?.carrier() };
  // A message that is too large fails the caller here. The relay could only set it aside.
  const stored = { ...message, headers };
  refuseLarge([stored], maxMessageBytes);
  return [topic, message.id, ...rowValues(stored)];
}

/** Returns the statement of `appendToOutbox`, to send it together with others. */
export function outboxAppend(topic: string, message: Message, options: StoreOptions = {}): NamedStatement {
  return { name: "outbox_append", text: appendSql, values: outboxValues(topic, message, options) };
}

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
  const { name, text, values } = outboxAppend(topic, message, options);
  await tx.query(text, values, { signal: options.signal, name });
}
