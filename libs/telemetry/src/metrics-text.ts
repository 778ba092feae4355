import * as prom from "prom-client";
import type { TextOptions } from "./metrics.ts";

export type AnyRegistry = prom.Registry | prom.Registry<prom.OpenMetricsContentType>;

/**
 * Renders the registries in one of the two formats, through views of their metrics. prom-client
 * ties a registry to one format, and rendering OpenMetrics removes `_total` from the name of a
 * counter, which the next Prometheus text would miss.
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

/** Returns a registry whose histograms may have exemplars. */
export function openMetricsRegistry(): prom.Registry<prom.OpenMetricsContentType> {
  const registry = new prom.Registry<prom.OpenMetricsContentType>();
  registry.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}
