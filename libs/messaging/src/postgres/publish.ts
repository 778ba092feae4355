import type { Abortable } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Queryable, sqlStateOf } from "@plumbline/postgres";
import type { Message } from "../message.ts";
import { rowValues } from "../message-row.ts";
import { partitionOf } from "../partition-of.ts";
import { notAllowed } from "./grants.ts";

/** One statement, which is one transaction and one round trip. The function says how it appends. */
const publishSql = "SELECT publish_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/**
 * Appends all messages or none to a topic with that many partitions. Rejects with
 * `permission_denied` if the role must not publish to it.
 */
export async function publishTo(
  database: Queryable,
  topic: string,
  partitions: number,
  messages: readonly Message[],
  options: Abortable,
): Promise<void> {
  const rows = messages.map((message) => [partitionOf(message.key, partitions), message.id, ...rowValues(message)]);
  const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
  try {
    await database.query(publishSql, [topic, ...columns], { ...options, name: "messaging_publish" });
  } catch (error) {
    if (sqlStateOf(error) === "42501") throw notAllowed("PUBLISH_NOT_ALLOWED", error);
    // Class 22 is data exceptions, such as a NUL character or half a surrogate pair.
    if (!sqlStateOf(error)?.startsWith("22")) throw error;
    throw new ServiceError("invalid_argument", "a message contains text that PostgreSQL cannot store", {
      cause: error,
    });
  }
}
