/** Values of a metric's labels. From small closed sets, never ids: past 1,000 series all become one "other". */
export type Labels<L extends string> = Readonly<Record<L, string | number>>;

// Methods, not function properties: a Counter<"method"> may then stand where a plain Counter is asked for.
export interface Counter<L extends string = string> {
  inc(labels: Labels<L>, by?: number): void;
}

export interface Gauge<L extends string = string> {
  set(labels: Labels<L>, value: number): void;
  inc(labels: Labels<L>, by?: number): void;
  dec(labels: Labels<L>, by?: number): void;
  /**
   * Reads the value at each scrape. Readers of the same labels add up; one that throws, or takes over a second, is left
   * out of that scrape. Disposing takes the reader away.
   */
  observe(read: () => number | Promise<number>, labels?: Labels<L>): Disposable;
}

export interface Histogram<L extends string = string> {
  /** Durations are in seconds. Within a span that is sampled, its ids become the bucket's exemplar: observe inside. */
  observe(labels: Labels<L>, value: number): void;
}

export interface TextOptions {
  readonly openMetrics?: boolean | undefined;
}

/**
 * Metrics of one process, scraped as text. Asking for a name again returns the same metric; asking for it as another
 * kind, or with other labels, throws. Values never throw: a bad number is left out.
 */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L>;
  /** Without `buckets`: OpenTelemetry's for durations, 5 ms to 10 s. */
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets?: readonly number[],
  ): Histogram<L>;
  /** Everything, in Prometheus's text format; as OpenMetrics histograms carry exemplars too. */
  text(options?: TextOptions): Promise<{ readonly contentType: string; readonly body: string }>;
}
