import type { Database, NamedStatement, Transaction, TransactionOptions } from "@plumbline/postgres";
import type { Message } from "../message.ts";

/**
 * Returns the statement that records that this group has handled this message. It returns no row if
 * that is recorded already. `handleOnce` runs it; use it to send it together with others.
 */
export function inboxNote(group: string, { source, id }: Pick<Message, "source" | "id">): NamedStatement {
  return { name: "inbox_note", text: noteSql, values: [group, source, id] };
}

const noteSql = `INSERT INTO inbox ("group", source, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true AS first`;

/**
 * Returns SQL, for a CTE, that records the messages of the CTE `from`, which has their columns
 * `source` and `message_id`. It returns `source` and `id` of those that were not recorded before.
 * `group` is a placeholder such as `$1`, and `from` a name of the code.
 */
export function inboxSql(from: string, group: string): string {
  // In one order, so that two statements with the same messages do not wait for each other.
  return `INSERT INTO inbox ("group", source, id) SELECT ${group}, source, message_id FROM ${from}
    ORDER BY source, message_id ON CONFLICT DO NOTHING RETURNING source, id`;
}

/**
 * Runs `effect` in one transaction with a record that this group has handled this message. A
 * redelivery finds the record and does nothing. Returns true if the effect happened now. If two
 * deliveries run at once, the second waits for the first and does nothing, or runs in full if the
 * first rolled back.
 *
 * One effect is one transaction. Calls and mails inside `effect` are neither undone nor remembered.
 * Call others before it, and notify others through the outbox.
 */
export async function handleOnce(
  database: Database,
  group: string,
  message: Pick<Message, "source" | "id">,
  effect: (tx: Transaction) => Promise<void>,
  options: TransactionOptions = {},
): Promise<boolean> {
  const { name, text, values } = inboxNote(group, message);
  return await database.transaction(async (tx) => {
    const [row] = await tx.query(text, values, { name });
    if (row === undefined) return false;
    await effect(tx);
    return true;
  }, options);
}
