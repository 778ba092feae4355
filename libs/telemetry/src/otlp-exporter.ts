import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import { postOtlp } from "./otlp-post.ts";

/**
 * Returns an exporter for OTLP over HTTP with protobuf. `endpoint` is the base URL of a collector,
 * as OTEL_EXPORTER_OTLP_ENDPOINT: `http://collector:4318`. Once `signal` aborts, exports fail at
 * once. The serializer is loaded with the first batch, since it costs more to load than the rest of
 * telemetry together.
 */
export function otlpExporter(endpoint: string, signal: AbortSignal): SpanExporter {
  const base = endpoint.replace(/\/+$/, "");
  const url = base.endsWith("/v1/traces") ? base : `${base}/v1/traces`;
  const running = new Set<Promise<void>>();
  const send = async (batch: Parameters<SpanExporter["export"]>[0]): Promise<ExportResult> => {
    try {
      const { ProtobufTraceSerializer } = await import("@opentelemetry/otlp-transformer");
      await postOtlp(url, ProtobufTraceSerializer.serializeRequest(batch) ?? new Uint8Array(), signal);
      return { code: ExportResultCode.SUCCESS };
    } catch (error) {
      return { code: ExportResultCode.FAILED, error: error instanceof Error ? error : new Error(String(error)) };
    }
  };
  const ended = async (): Promise<void> => {
    await Promise.all(running);
  };
  return {
    export(batch, done) {
      const sending = (async () => done(await send(batch)))();
      running.add(sending);
      void sending.finally(() => running.delete(sending));
    },
    forceFlush: ended,
    shutdown: ended,
  };
}

const quietMs = 60_000;

export interface WatchedOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Once it aborts, losses are counted without a warning: the one that aborts it warns. */
  readonly signal: AbortSignal;
}

/**
 * Counts the spans that `exporter` sends and loses, and warns about losses at most once a minute.
 * OpenTelemetry reports failures to a global handler that is silent by default, so lost traces
 * would go unnoticed.
 */
export function watched(
  exporter: SpanExporter,
  { logger, metrics, signal }: WatchedOptions,
  now: () => number = Date.now,
): SpanExporter {
  const spans = metrics.counter("telemetry_exported_spans_total", "Spans handed to the exporter.", ["outcome"]);
  let warnedAt = Number.NEGATIVE_INFINITY;
  return {
    export(batch, done) {
      exporter.export(batch, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        spans.inc({ outcome: failed ? "lost" : "sent" }, batch.length);
        if (failed && !signal.aborted && now() - warnedAt >= quietMs) {
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
