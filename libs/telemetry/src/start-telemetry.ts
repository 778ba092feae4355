import { within } from "@plumbline/concurrency";
import { enableContext } from "./active-context.ts";
import type { Destination } from "./lines.ts";
import type { LogLevel } from "./logger.ts";
import { otelTracer } from "./otel-tracer.ts";
import { OtlpLogs } from "./otlp-logs.ts";
import { OtlpSpans } from "./otlp-spans.ts";
import { PromMetrics } from "./prom-metrics.ts";
import type { SpanSink } from "./recorded-span.ts";
import type { Telemetry } from "./telemetry.ts";
import { winstonLogger } from "./winston-logger.ts";

export interface TelemetryOptions {
  /** The name of the service in every line and span: `orders`. */
  readonly service: string;
  readonly version?: string | undefined;
  /** The lowest level that is written. Default `info`. */
  readonly logLevel?: LogLevel | undefined;
  /**
   * The base URL of a collector, `http://collector:4318`. Without it no spans are recorded, but ids
   * are in logs and headers.
   */
  readonly otlpEndpoint?: string | undefined;
  /** Sends log lines to `otlpEndpoint` too, if that is set. Default false. */
  readonly otlpLogs?: boolean | undefined;
  /**
   * The share of new traces that is exported, 0 to 1. Default 1. A trace from another process keeps
   * its decision.
   */
  readonly sampleRatio?: number | undefined;
  /** The longest that disposing waits for the last spans and lines. Default 3,000 ms. */
  readonly flushMs?: number | undefined;
  /** The destination of log lines. Default: standard output. */
  readonly destination?: Destination | undefined;
  /** Receives the spans instead of OTLP, as a test. */
  readonly sink?: SpanSink | undefined;
}

/**
 * Starts logging, tracing and metrics of this process. Dispose it last, since other parts log while
 * they close.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  enableContext();
  // Reads only the global context, so the logger can use it before the tracer exists.
  const ids = otelTracer();
  const { service, version, otlpEndpoint } = options;
  // Abort exports that a slow collector has not answered when the process ends.
  const [lateSpans, lateLogs] = [new AbortController(), new AbortController()];
  const logs =
    options.otlpLogs === true && otlpEndpoint !== undefined
      ? new OtlpLogs({ endpoint: otlpEndpoint, service, version, signal: lateLogs.signal })
      : undefined;
  const { logger, audit, flush, onDropped } = winstonLogger({
    service: options.service,
    level: options.logLevel ?? "info",
    destination: options.destination ?? process.stdout,
    current: () => ids.current(),
    forward: logs && ((level, line) => logs.add(level, line)),
  });
  const metrics = new PromMetrics({
    service: options.service,
    version: options.version,
    warn: (message, fields) => logger.warn(message, fields),
  });
  const dropped = metrics.counter("telemetry_dropped_log_lines_total", "Log lines dropped, by what their reader was.", [
    "reader",
  ]);
  onDropped((reader) => dropped.inc({ reader }));
  logs?.report(
    logger,
    metrics.counter("telemetry_exported_logs_total", "Log lines handed to the collector.", ["outcome"]),
  );
  const spans =
    options.sink !== undefined || otlpEndpoint === undefined
      ? undefined
      : new OtlpSpans({ endpoint: otlpEndpoint, service, version, logger, metrics, signal: lateSpans.signal });
  const sink = options.sink ?? spans;

  return {
    logger,
    audit,
    metrics,
    tracer: sink === undefined ? ids : otelTracer(sink, options.sampleRatio ?? 1),
    async [Symbol.asyncDispose]() {
      const limit = options.flushMs ?? 3_000;
      // Spans first, since their loss is logged. A failed flush must not fail the service.
      if (spans && !(await endsWithin(limit, spans.shutdown()))) {
        logger.warn("spans were lost: the collector was too slow");
        lateSpans.abort();
      }
      if (logs && !(await endsWithin(limit, logs.shutdown()))) lateLogs.abort();
      await endsWithin(limit, flush());
    },
  };
}

/**
 * Resolves with true if `work` ends within `ms`. A failure counts as an end, since export errors
 * are logged already.
 */
async function endsWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const ended = work.then(
    () => true,
    () => true,
  );
  return await within(ended, { ms }).catch(() => false);
}
