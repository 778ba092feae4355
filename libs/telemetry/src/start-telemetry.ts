import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { within } from "@plumbline/concurrency";
import { enableContext } from "./active-context.ts";
import type { Destination } from "./lines.ts";
import type { LogLevel } from "./logger.ts";
import { otelTracer } from "./otel-tracer.ts";
import { otlpExporter, watched } from "./otlp-exporter.ts";
import { OtlpLogs } from "./otlp-logs.ts";
import { PromMetrics } from "./prom-metrics.ts";
import { sdkTracer } from "./sdk-tracer.ts";
import type { Telemetry } from "./telemetry.ts";
import { winstonLogger } from "./winston-logger.ts";

export interface TelemetryOptions {
  /** The name in every line and span: `orders`. */
  readonly service: string;
  readonly version?: string | undefined;
  /** The least level written; `info` when not given. */
  readonly logLevel?: LogLevel | undefined;
  /** A collector's base URL, `http://collector:4318`. Without it spans are not recorded; ids still reach logs and headers. */
  readonly otlpEndpoint?: string | undefined;
  /** Sends log lines there too, beside standard output; off when not given, and without `otlpEndpoint`. */
  readonly otlpLogs?: boolean | undefined;
  /** Share of new traces that is exported, 0 to 1 (the default). A trace begun elsewhere keeps the decision made there. */
  readonly sampleRatio?: number | undefined;
  /** How long disposing waits for the last spans and lines, 3,000 ms when not given. */
  readonly flushMs?: number | undefined;
  /** Where log lines go; standard output when not given. */
  readonly destination?: Destination | undefined;
  /** Takes the spans instead of OTLP: a console, or a test. */
  readonly exporter?: SpanExporter | undefined;
}

/** Starts logging, tracing and metrics of this process. Dispose it last: it flushes what the others said while closing. */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  enableContext();
  // Reads only the global context, so it works for a logger that must exist before the tracer does.
  const ids = otelTracer();
  const { service, version, otlpEndpoint } = options;
  const logs =
    options.otlpLogs === true && otlpEndpoint !== undefined
      ? new OtlpLogs({ endpoint: otlpEndpoint, service, version })
      : undefined;
  const { logger, flush } = winstonLogger({
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
  logs?.report(
    logger,
    metrics.counter("telemetry_exported_logs_total", "Log lines handed to the collector.", ["outcome"]),
  );
  const exporter =
    options.exporter ?? (options.otlpEndpoint === undefined ? undefined : otlpExporter(options.otlpEndpoint));
  const traced =
    exporter &&
    sdkTracer({ ...options, sampleRatio: options.sampleRatio ?? 1, exporter: watched(exporter, logger, metrics) });

  return {
    logger,
    metrics,
    tracer: traced?.tracer ?? ids,
    async [Symbol.asyncDispose]() {
      const limit = options.flushMs ?? 3_000;
      // Spans first: that they were lost is a line. A failure to flush must not become the service's own failure.
      if (traced && !(await endsWithin(limit, traced.shutdown())))
        logger.warn("spans were lost: the collector was too slow");
      if (logs) await endsWithin(limit, logs.shutdown());
      await endsWithin(limit, flush());
    },
  };
}

/** Resolves with true if `work` ends within `ms`. A failure counts as an end, since export errors are logged already. */
async function endsWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const ended = work.then(
    () => true,
    () => true,
  );
  return await within(ended, { ms }).catch(() => false);
}
