export { type Fields, type Logger, type LogLevel, logLevels } from "./logger.ts";
export type { Counter, Gauge, Histogram, Labels, Metrics } from "./metrics.ts";
export { noTelemetry } from "./no-telemetry.ts";
export { startTelemetry, type TelemetryOptions } from "./start-telemetry.ts";
export type { Telemetry } from "./telemetry.ts";
export type { Attributes, AttributeValue, Carrier, Span, SpanKind, SpanOptions, Tracer } from "./tracer.ts";
