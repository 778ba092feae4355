import { repeat } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Database, Queryable } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Broker } from "../broker.ts";
import { retryAndDeadLetterTopics } from "../topics.ts";

const dayMs = 24 * 3_600_000;
const batch = 1_000;
const maxRounds = 100;

/** The settings of the cleanup of one group's inbox. */
export interface InboxOptions {
  readonly group: string;
  /**
   * The topics that the group subscribes to. Their retry and dead-letter topics count too, and must
   * exist.
   */
  readonly topics: readonly string[];
  readonly retryDelaysMs?: readonly number[] | undefined;
  /**
   * The time that handled messages are remembered. Default: a day more than any copy of one can be
   * redelivered.
   */
  readonly retentionMs?: number | undefined;
  /** The approximate interval between deletions. Default: 10 min. */
  readonly sweepMs?: number | undefined;
}

/**
 * Deletes inbox records that no redelivery needs any more, until disposed.
 *
 * Rejects with `failed_precondition` if the retention is shorter than the time that the broker
 * keeps a message: in its topic, then in each retry topic, then in the dead-letter topic, from
 * where it may be replayed. A copy that outlives its record would have a second effect.
 */
export async function startInboxCleanup(
  database: Database,
  broker: Broker,
  telemetry: Telemetry,
  options: InboxOptions,
): Promise<AsyncDisposable> {
  const neededMs = await longestRedelivery(broker, options);
  const { retentionMs = neededMs + dayMs, sweepMs = 600_000 } = options;
  if (retentionMs < neededMs) {
    const [kept, needed] = [days(retentionMs), days(neededMs)];
    throw new ServiceError(
      "failed_precondition",
      `the inbox keeps records for ${kept} days but the broker may redeliver messages for ${needed} days: raise the inbox's retention or lower that of the topics`,
      { reason: "INBOX_RETENTION_TOO_SHORT" },
    );
  }
  const sweep = async (): Promise<void> => {
    const deleted = await deleteExpiredRecords(database, retentionMs);
    if (deleted > 0) telemetry.logger.info("deleted expired inbox records", { deleted });
  };
  return repeat(sweep, {
    everyMs: sweepMs,
    onFailure: (error) => telemetry.logger.warn("cannot delete expired inbox records", { error: String(error) }),
  });
}

/**
 * Deletes expired records in short transactions and returns their number. A run is bounded, and the
 * next one continues.
 */
export async function deleteExpiredRecords(database: Queryable, retentionMs: number): Promise<number> {
  if (!Number.isFinite(retentionMs)) return 0;
  const sql = `
    DELETE FROM inbox WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM inbox WHERE handled_at < now() - make_interval(secs => $1)
      ORDER BY handled_at LIMIT ${batch} FOR UPDATE SKIP LOCKED
    )) RETURNING 1 AS one`;
  let deleted = 0;
  for (let round = 0; round < maxRounds; round++) {
    const gone = await database.query(sql, [retentionMs / 1000]);
    deleted += gone.length;
    if (gone.length < batch) break;
  }
  return deleted;
}

async function longestRedelivery(broker: Broker, { topics, group, retryDelaysMs }: InboxOptions): Promise<number> {
  const times = topics.map(async (topic) => {
    const passed = [topic, ...retryAndDeadLetterTopics(topic, group, retryDelaysMs)];
    const kept = await Promise.all(passed.map((name) => broker.retentionMs(name)));
    return kept.reduce((sum, ms) => sum + ms, 0);
  });
  return Math.max(0, ...(await Promise.all(times)));
}

function days(ms: number): string {
  return (ms / dayMs).toFixed(1);
}
