import type { Metric } from "prom-client";
import type { AnyRegistry } from "./metrics-text.ts";

export interface Description {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
}

/** One line of a metric's text. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a line that is not called as its metric: `_bucket`, `_sum`, `_count`. */
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
 * Puts a metric that keeps its own values into a registry of prom-client. Of a metric a registry asks no more than a name,
 * a type and `get`; its types want one of its own classes.
 */
export function register(
  registry: AnyRegistry,
  description: Description,
  samples: () => readonly Sample[] | Promise<readonly Sample[]>,
): void {
  const metric = {
    ...description,
    // `this`, since views of the metric have another name.
    async get(this: { readonly name: string }) {
      return { ...description, name: this.name, aggregator: "sum", values: await samples() };
    },
  };
  registry.registerMetric(metric as unknown as Metric);
}
