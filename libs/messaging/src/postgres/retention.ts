import type { Abortable } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";

/** The most that one call of the function deletes. */
const batch = 1_000;
const maxRounds = 100;

/**
 * Deletes messages that are older than their topic's retention, from the low end of each partition,
 * in short transactions. Only one process does so at a time. A run is bounded, and the next one
 * continues.
 */
export async function deleteExpiredMessages(database: Database, options: Abortable = {}): Promise<number> {
  let deleted = 0;
  for (let round = 0; round < maxRounds; round++) {
    const [row] = await database.query<{ count: number }>("SELECT delete_expired_messages() AS count", [], options);
    const count = row?.count ?? 0;
    deleted += count;
    if (count < batch) break;
  }
  return deleted;
}
