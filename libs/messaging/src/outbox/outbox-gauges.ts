import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";

/** An exact count would make each scrape slower as the backlog grows. */
const mostCounted = 100_000;

/**
 * Reports the number and the age of the messages that wait, read at each scrape. Every replica
 * reports the same values.
 */
export function outboxGauges(database: Database, { metrics }: Telemetry): Disposable {
  const read = async (sql: string): Promise<number> => (await database.query<{ value: number }>(sql))[0]?.value ?? 0;
  const gauges = new DisposableStack();
  gauges.use(
    metrics.gauge("outbox_lag_seconds", "Age of the oldest message that waits to be published.", []).observe(() =>
      read(`SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 AS value
              FROM outbox WHERE refused IS NULL ORDER BY id LIMIT 1`),
    ),
  );
  gauges.use(
    metrics
      .gauge("outbox_pending", `Messages that wait to be published, counted up to ${mostCounted}.`, [])
      .observe(() => read(count("refused IS NULL"))),
  );
  gauges.use(
    metrics
      .gauge("outbox_refused", "Messages that the broker rejects for good; they stay in the outbox.", [])
      .observe(() => read(count("refused IS NOT NULL"))),
  );
  return gauges;
}

function count(where: string): string {
  return `SELECT count(*)::int AS value FROM (SELECT 1 FROM outbox WHERE ${where} LIMIT ${mostCounted}) AS counted`;
}
