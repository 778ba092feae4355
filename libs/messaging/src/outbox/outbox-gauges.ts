import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";

/** Counting further would make each scrape slower the worse things are. */
const mostCounted = 100_000;

/** What waits and for how long, read at each scrape; every replica says the same. */
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
      .gauge("outbox_refused", "Messages the broker will never take, set aside.", [])
      .observe(() => read(count("refused IS NOT NULL"))),
  );
  return gauges;
}

function count(where: string): string {
  return `SELECT count(*)::int AS value FROM (SELECT 1 FROM outbox WHERE ${where} LIMIT ${mostCounted}) AS counted`;
}
