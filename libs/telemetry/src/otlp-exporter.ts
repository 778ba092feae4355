import { ExportResultCode } from "@opentelemetry/core";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/**
 * Returns an exporter for OTLP over HTTP with protobuf. `endpoint` is the base URL of a collector,
 * as OTEL_EXPORTER_OTLP_ENDPOINT: `http://collector:4318`. The package is loaded with the first
 * batch, since it costs more to load than the rest of telemetry together.
 */
export function otlpExporter(endpoint: string): SpanExporter {
  const base = endpoint.replace(/\/+$/, "");
  const url = base.endsWith("/v1/traces") ? base : `${base}/v1/traces`;
  let loading: Promise<SpanExporter> | undefined;
  const load = async (): Promise<SpanExporter> => {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
    return new OTLPTraceExporter({ url, timeoutMillis: 5_000 });
  };
  return {
    export(batch, done) {
      loading ??= load();
      loading.then(
        (exporter) => exporter.export(batch, done),
        () => {}, // A broken installation: the export times out, which is reported.
      );
    },
    forceFlush: async () => (await loading)?.forceFlush?.(),
    shutdown: async () => (await loading)?.shutdown(),
  };
}

const quietMs = 60_000;

/**
 * Counts the spans that `exporter` sends and loses, and warns about losses at most once a minute.
 * OpenTelemetry reports failures to a global handler that is silent by default, so lost traces
 * would go unnoticed.
 */
export function watched(
  exporter: SpanExporter,
  logger: Logger,
  metrics: Metrics,
  now: () => number = Date.now,
): SpanExporter {
  const spans = metrics.counter("telemetry_exported_spans_total", "Spans handed to the exporter.", ["outcome"]);
  let warnedAt = Number.NEGATIVE_INFINITY;
  return {
    export(batch, done) {
      exporter.export(batch, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        spans.inc({ outcome: failed ? "lost" : "sent" }, batch.length);
        if (failed && now() - warnedAt >= quietMs) {
          warnedAt = now();
          logger.warn("spans were lost: the collector did not accept them", {
            error: result.error,
            spans: batch.length,
          });
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
