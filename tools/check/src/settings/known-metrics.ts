/** A metric of the services. */
export interface KnownMetric {
  readonly name: string;
  readonly kind: string;
  readonly labels: readonly string[];
}

/**
 * Returns the rows of the table of metrics in `page`, docs/telemetry.md.
 * tests/e2e/test/signals.test.ts compares that table with the metrics of running services.
 */
export function knownMetrics(page: string): readonly KnownMetric[] {
  return [...page.matchAll(/^\| `([a-z]\w+)` \| (counter|gauge|histogram) \|([^|]*)\|/gm)].map(
    ([, name = "", kind = "", labels = ""]) => ({ name, kind, labels: labels.match(/\w+/g) ?? [] }),
  );
}
