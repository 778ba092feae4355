import * as prom from "prom-client";
import type { TextOptions } from "./metrics.ts";

export type AnyRegistry = prom.Registry | prom.Registry<prom.OpenMetricsContentType>;

/**
 * What the registries hold, in one of the two formats. Written through views of the metrics: prom-client ties a registry to
 * one format, and to write OpenMetrics takes `_total` off a counter's own name, which the next Prometheus text would miss.
 */
export async function metricsText(
  registries: readonly AnyRegistry[],
  { openMetrics = false }: TextOptions = {},
): Promise<{ contentType: string; body: string }> {
  const view = openMetrics ? openMetricsRegistry() : new prom.Registry();
  for (const registry of registries) {
    for (const { name } of registry.getMetricsAsArray()) {
      const metric = registry.getSingleMetric(name);
      if (metric !== undefined) view.registerMetric(Object.create(metric) as typeof metric);
    }
  }
  return { contentType: view.contentType, body: await view.metrics() };
}

/** The kind of registry whose histograms may have exemplars. */
export function openMetricsRegistry(): prom.Registry<prom.OpenMetricsContentType> {
  const registry = new prom.Registry<prom.OpenMetricsContentType>();
  registry.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}
