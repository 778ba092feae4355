import type { Metric } from "prom-client";
import type { AnyRegistry } from "./metrics-text.ts";

export interface Description {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
}

/** A line of a metric's text. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** The name of the line if it is not that of the metric: `_bucket`, `_sum`, `_count`. */
  readonly metricName?: string;
  readonly exemplar?: Exemplar | undefined;
}

export interface Exemplar {
  readonly labelSet: Readonly<Record<string, string>>;
  readonly value: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
}

/**
 * Registers a metric that keeps its own values with prom-client. A registry needs only a name, a
 * type and `get` of a metric, although its types demand one of its own classes.
 */
export function register(
  registry: AnyRegistry,
  description: Description,
  samples: () => readonly Sample[] | Promise<readonly Sample[]>,
): void {
  const metric = {
    ...description,
    // `this`, since a view of the metric has another name.
    async get(this: { readonly name: string }) {
      return { ...description, name: this.name, aggregator: "sum", values: await samples() };
    },
  };
  registry.registerMetric(metric as unknown as Metric);
}
