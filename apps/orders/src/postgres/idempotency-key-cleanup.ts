import { repeat } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import { pruneKeys } from "./idempotency-keys.ts";
import { forgetShareKeys } from "./pending-counts.ts";

export interface CleanupOptions {
  /** The time that a key is kept. */
  readonly retentionMs: number;
  /** The pause between two sweeps, about. */
  readonly sweepMs: number;
}

const batch = 1_000;
const maxRounds = 100;

/**
 * Deletes expired idempotency keys, and the share keys of orders that no longer count, in small
 * statements, until disposed. Replicas share the work.
 */
export function startIdempotencyKeyCleanup(
  database: Pick<Database, "query">,
  { retentionMs, sweepMs }: CleanupOptions,
  { logger }: Pick<Telemetry, "logger">,
): AsyncDisposable {
  async function sweep(signal: AbortSignal): Promise<void> {
    // Bounded: the rest waits for the next sweep.
    for (let round = 0; round < maxRounds; round++) {
      if ((await forgetShareKeys(database, { batch }, { signal })) < batch) break;
    }
    for (let round = 0; round < maxRounds; round++) {
      if ((await pruneKeys(database, { retentionMs, batch }, { signal })) < batch) return;
    }
  }
  return repeat(sweep, {
    everyMs: sweepMs,
    onFailure: (error) => logger.warn("old idempotency keys not deleted", { error: String(error) }),
  });
}
