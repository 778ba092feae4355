import type { Fields } from "./logger.ts";
import type { Counter, Gauge, Histogram, Metrics, TextOptions } from "./metrics.ts";
import { metricsText, openMetricsRegistry } from "./metrics-text.ts";
import { ObservedGauge } from "./observed-gauge.ts";
import { processMetrics } from "./process-metrics.ts";
import { PromHistogram } from "./prom-histogram.ts";
import { type Description, register } from "./prom-metric.ts";
import { Series } from "./series.ts";

export interface PromMetricsOptions {
  readonly service: string;
  readonly version?: string | undefined;
  readonly warn: (message: string, fields: Fields) => void;
}

/** The buckets that OpenTelemetry recommends for durations in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

interface Registered {
  readonly type: string;
  readonly labels: string;
  readonly metric: unknown;
}

/**
 * Metrics in a separate registry of prom-client, beside the registry of the process. Values are
 * kept here and handed over at a scrape: prom-client's own metrics check and hash their labels at
 * each update, which costs as much as a log line.
 */
export class PromMetrics implements Metrics {
  readonly #registry = openMetricsRegistry();
  readonly #registered = new Map<string, Registered>();
  readonly #warn: PromMetricsOptions["warn"];

  constructor({ service, version, warn }: PromMetricsOptions) {
    this.#warn = warn;
    // The form of OpenTelemetry's resource in Prometheus. It joins service and version to every
    // metric of this target.
    this.gauge("target_info", "The service this process is.", ["service_name", "service_version"]).set(
      { service_name: service, service_version: version ?? "" },
      1,
    );
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return this.#once({ type: "counter", name, help }, labelNames, (description) => {
      const series = new Series(name, labelNames, this.#warn, (labels) => ({ labels, value: 0 }));
      register(this.#registry, description, () => series.all);
      return {
        inc(labels, by = 1) {
          if (by >= 0 && Number.isFinite(by)) series.of(labels).value += by;
        },
      } satisfies Counter<L>;
    });
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return this.#once({ type: "gauge", name, help }, labelNames, (description) => {
      const gauge = new ObservedGauge(name, labelNames, this.#warn);
      register(this.#registry, description, () => gauge.read());
      return gauge;
    });
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[] = durationBuckets,
  ): Histogram<L> {
    return this.#once({ type: "histogram", name, help }, labelNames, (description) => {
      const histogram = new PromHistogram(name, labelNames, buckets, this.#warn);
      register(this.#registry, description, () => histogram.read());
      return histogram;
    });
  }

  text(options?: TextOptions): Promise<{ contentType: string; body: string }> {
    return metricsText([this.#registry, processMetrics()], options);
  }

  #once<M>(description: Description, labelNames: readonly string[], make: (description: Description) => M): M {
    const { name, type } = description;
    const labels = labelNames.join(",");
    const known = this.#registered.get(name);
    if (known === undefined) {
      refuseReserved(description);
      const metric = make(description);
      this.#registered.set(name, { type, labels, metric });
      return metric;
    }
    if (known.type !== type || known.labels !== labels) {
      throw new Error(`${name} is already a ${known.type} with the labels [${known.labels}]`);
    }
    return known.metric as M; // Made by the same call with the same type.
  }
}

/** Throws if promtool would complain: other metrics make series of names with these endings. */
function refuseReserved({ type, name }: Description): void {
  if (type === "counter" && !name.endsWith("_total")) throw new Error(`a counter's name must end with _total: ${name}`);
  const reserved = /_(?:count|sum|bucket|total)$/.exec(name)?.[0];
  if (type !== "counter" && reserved !== undefined) {
    throw new Error(`a ${type}'s name must not end with ${reserved}: ${name}`);
  }
}
