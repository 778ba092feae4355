/**
 * The label values of a metric. Use small closed sets, never ids: beyond 1,000 series all count as
 * "other".
 */
export type Labels<L extends string> = Readonly<Record<L, string | number>>;

// Methods, not function properties, so that a Counter<"method"> is assignable to a plain Counter.
export interface Counter<L extends string = string> {
  inc(labels: Labels<L>, by?: number): void;
}

export interface Gauge<L extends string = string> {
  set(labels: Labels<L>, value: number): void;
  inc(labels: Labels<L>, by?: number): void;
  dec(labels: Labels<L>, by?: number): void;
  /**
   * Reads the value at each scrape. Readers of the same labels are summed. One that throws or takes
   * over a second is left out of that scrape. Disposing removes the reader.
   */
  observe(read: () => number | Promise<number>, labels?: Labels<L>): Disposable;
}

export interface Histogram<L extends string = string> {
  /**
   * Observes a value; durations are in seconds. Inside a sampled span, its ids become the bucket's
   * exemplar.
   */
  observe(labels: Labels<L>, value: number): void;
}

export interface TextOptions {
  readonly openMetrics?: boolean | undefined;
}

/**
 * The metrics of a process, scraped as text. Requesting a name again returns the same metric.
 * Requesting it as another kind or with other labels throws. Values never throw: an invalid number
 * is ignored.
 */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L>;
  /** Returns a histogram. Default buckets: OpenTelemetry's for durations, 5 ms to 10 s. */
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets?: readonly number[],
  ): Histogram<L>;
  /** Renders all metrics in Prometheus's text format, or as OpenMetrics with exemplars. */
  text(options?: TextOptions): Promise<{ readonly contentType: string; readonly body: string }>;
}
