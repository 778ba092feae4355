import * as prom from "prom-client";
import type { Fields } from "./logger.ts";
import type { Counter, Gauge, Histogram, Metrics, TextOptions } from "./metrics.ts";
import { type AnyRegistry, metricsText, openMetricsRegistry } from "./metrics-text.ts";
import { ObservedGauge } from "./observed-gauge.ts";
import { sampledIds } from "./otel-tracer.ts";
import { processMetrics } from "./process-metrics.ts";
import { SeriesLimit } from "./series-limit.ts";

export interface PromMetricsOptions {
  readonly service: string;
  readonly version?: string | undefined;
  readonly warn: (message: string, fields: Fields) => void;
}

/** OpenTelemetry's advice for durations in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

interface Registered {
  readonly kind: string;
  readonly labels: string;
  readonly metric: unknown;
}

/** Metrics by prom-client, in a registry of their own beside the process's. */
export class PromMetrics implements Metrics {
  readonly #registry = openMetricsRegistry();
  readonly #registered = new Map<string, Registered>();
  readonly #warn: PromMetricsOptions["warn"];

  constructor({ service, version, warn }: PromMetricsOptions) {
    this.#warn = warn;
    // As OpenTelemetry's resource looks in Prometheus: joins service and version to every other metric of this target.
    this.gauge("target_info", "The service this process is.", ["service_name", "service_version"]).set(
      { service_name: service, service_version: version ?? "" },
      1,
    );
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return this.#once("counter", name, labelNames, (options) => {
      const metric = new prom.Counter({ ...options, help });
      const limit = this.#limit(name, labelNames);
      return {
        inc(labels, by = 1) {
          if (by >= 0 && Number.isFinite(by)) metric.inc(limit.admit(labels), by);
        },
      } satisfies Counter<L>;
    });
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return this.#once(
      "gauge",
      name,
      labelNames,
      (options) => new ObservedGauge({ ...options, help }, this.#limit(name, labelNames), this.#warn),
    );
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[] = durationBuckets,
  ): Histogram<L> {
    return this.#once("histogram", name, labelNames, (options) => {
      const metric = new prom.Histogram({ ...options, help, buckets: [...buckets], enableExemplars: true });
      const limit = this.#limit(name, labelNames);
      return {
        observe(labels, value) {
          if (!Number.isFinite(value)) return;
          const exemplarLabels = sampledIds();
          metric.observe({ labels: limit.admit(labels), value, ...(exemplarLabels && { exemplarLabels }) });
        },
      } satisfies Histogram<L>;
    });
  }

  text(options?: TextOptions): Promise<{ contentType: string; body: string }> {
    return metricsText([this.#registry, processMetrics()], options);
  }

  #once<M>(kind: string, name: string, labelNames: readonly string[], make: (options: Options) => M): M {
    const labels = labelNames.join(",");
    const known = this.#registered.get(name);
    if (known === undefined) {
      const metric = make({ name, labelNames: [...labelNames], registers: [this.#registry] });
      this.#registered.set(name, { kind, labels, metric });
      return metric;
    }
    if (known.kind !== kind || known.labels !== labels) {
      throw new Error(`${name} is already a ${known.kind} with the labels [${known.labels}]`);
    }
    return known.metric as M; // Made by the same call with the same kind.
  }

  #limit<L extends string>(name: string, labelNames: readonly L[]): SeriesLimit<L> {
    return new SeriesLimit(name, labelNames, this.#warn);
  }
}

interface Options {
  readonly name: string;
  readonly labelNames: string[];
  readonly registers: AnyRegistry[];
}
