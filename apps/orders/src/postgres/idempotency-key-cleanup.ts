import { repeat } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import { pruneKeys } from "./idempotency-keys.ts";

export interface CleanupOptions {
  /** How long a key is kept. */
  readonly retentionMs: number;
  /** How often old keys are deleted, about. */
  readonly sweepMs: number;
}

const batch = 1_000;
const maxRounds = 100;

/** Deletes expired idempotency keys until disposed, in small statements. Replicas share the work. */
export function startIdempotencyKeyCleanup(
  database: Pick<Database, "query">,
  { retentionMs, sweepMs }: CleanupOptions,
  { logger }: Pick<Telemetry, "logger">,
): AsyncDisposable {
  async function sweep(signal: AbortSignal): Promise<void> {
    // Bounded: the rest waits for the next sweep.
    for (let round = 0; round < maxRounds; round++) {
      if ((await pruneKeys(database, { retentionMs, batch }, { signal })) < batch) return;
    }
  }
  return repeat(sweep, {
    everyMs: sweepMs,
    onFailure: (error) => logger.warn("old idempotency keys not deleted", { error: String(error) }),
  });
}
