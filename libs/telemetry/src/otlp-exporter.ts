import { ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** OTLP over HTTP with protobuf. `endpoint` is a collector's base, as OTEL_EXPORTER_OTLP_ENDPOINT: `http://collector:4318`. */
export function otlpExporter(endpoint: string): SpanExporter {
  const base = endpoint.replace(/\/+$/, "");
  return new OTLPTraceExporter({ url: base.endsWith("/v1/traces") ? base : `${base}/v1/traces`, timeoutMillis: 5_000 });
}

const quietMs = 60_000;

/**
 * Counts what `exporter` sends and loses, and warns at most once a minute. OpenTelemetry reports failures to a global
 * handler that is silent until someone sets it, so that traces end and nobody knows.
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
          logger.warn("spans were lost: the collector did not take them", { error: result.error, spans: batch.length });
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
