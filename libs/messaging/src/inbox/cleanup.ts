import { repeat } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Database, Queryable } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Broker } from "../broker.ts";
import { retryAndDeadLetterTopics } from "../topics.ts";

const dayMs = 24 * 3_600_000;
const batch = 1_000;
const maxRounds = 100;

export interface InboxOptions {
  readonly group: string;
  /** The topics the group subscribes to. Their retry and dead-letter topics count too, and must exist. */
  readonly topics: readonly string[];
  readonly retryDelaysMs?: readonly number[] | undefined;
  /** How long handled messages are remembered. Default: a day more than any copy of one can come back. */
  readonly retentionMs?: number | undefined;
  /** How often old notes are deleted, about. Default ten minutes. */
  readonly sweepMs?: number | undefined;
}

/**
 * Deletes inbox notes that no delivery can need any more, until disposed. Refuses with `failed_precondition` a retention
 * shorter than the broker keeps a message: in its topic, then in each retry topic, then among the dead letters, from where
 * it may be replayed. A copy that outlives its note would have a second effect.
 */
export async function startInboxCleanup(
  database: Database,
  broker: Broker,
  telemetry: Telemetry,
  options: InboxOptions,
): Promise<AsyncDisposable> {
  const neededMs = await longestLife(broker, options);
  const { retentionMs = neededMs + dayMs, sweepMs = 600_000 } = options;
  if (retentionMs < neededMs) {
    const [kept, needed] = [days(retentionMs), days(neededMs)];
    throw new ServiceError(
      "failed_precondition",
      `the inbox remembers messages for ${kept} days, the broker may deliver them for ${needed}: raise the inbox's retention or lower the topics'`,
      { reason: "INBOX_RETENTION_TOO_SHORT" },
    );
  }
  const sweep = async (): Promise<void> => {
    const deleted = await sweepInbox(database, retentionMs);
    if (deleted > 0) telemetry.logger.info("old inbox notes deleted", { deleted });
  };
  return repeat(sweep, {
    everyMs: sweepMs,
    onFailure: (error) => telemetry.logger.warn("old inbox notes not deleted", { error: String(error) }),
  });
}

/** How many notes were older and are gone. In short transactions; a run is bounded, what is left waits for the next. */
export async function sweepInbox(database: Queryable, retentionMs: number): Promise<number> {
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

async function longestLife(broker: Broker, { topics, group, retryDelaysMs }: InboxOptions): Promise<number> {
  const lives = topics.map(async (topic) => {
    const stations = [topic, ...retryAndDeadLetterTopics(topic, group, retryDelaysMs)];
    const kept = await Promise.all(stations.map((station) => broker.retentionMs(station)));
    return kept.reduce((sum, ms) => sum + ms, 0);
  });
  return Math.max(0, ...(await Promise.all(lives)));
}

function days(ms: number): string {
  return (ms / dayMs).toFixed(1);
}
