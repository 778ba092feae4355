import type { Database, Transaction, TransactionOptions } from "@plumbline/postgres";
import type { Message } from "../message.ts";

/**
 * Runs `effect` in one transaction with the note that this group has handled this message: a delivery that comes again
 * finds the note and does nothing. Answers whether the effect was made now. Of two deliveries at once the second waits
 * for the first, and does nothing, or all of it where the first rolled back.
 *
 * One effect is one transaction: what `effect` does elsewhere (a call, a mail) is not undone and not remembered. Ask
 * others before, tell others through the outbox.
 */
export async function handleOnce(
  database: Database,
  group: string,
  message: Pick<Message, "source" | "id">,
  effect: (tx: Transaction) => Promise<void>,
  options: TransactionOptions = {},
): Promise<boolean> {
  const sql = `INSERT INTO inbox ("group", source, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true AS first`;
  return await database.transaction(async (tx) => {
    const [row] = await tx.query<{ first: boolean }>(sql, [group, message.source, message.id], { name: "inbox_note" });
    if (row === undefined) return false;
    await effect(tx);
    return true;
  }, options);
}
