import type { Logger } from "./logger.ts";
import type { Counter, Gauge, Histogram, Metrics } from "./metrics.ts";
import type { Telemetry } from "./telemetry.ts";
import type { OpenSpan, Tracer } from "./tracer.ts";

const nothing = (): void => {};

const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => logger };

// The ids that W3C trace context defines as invalid, so that they are not used as a trace.
const span: OpenSpan = {
  traceId: "0".repeat(32),
  spanId: "0".repeat(16),
  setAttribute: nothing,
  addEvent: nothing,
  fail: nothing,
  carrier: () => ({}),
  end: nothing,
};

const tracer: Tracer = {
  span: (_name, _options, work) => work(span),
  start: () => span,
  carrier: () => ({}),
  addEvent: nothing,
  current: () => undefined,
};

const counter: Counter = { inc: nothing };
const gauge: Gauge = { set: nothing, inc: nothing, dec: nothing, observe: () => ({ [Symbol.dispose]: nothing }) };
const histogram: Histogram = { observe: nothing };

const metrics: Metrics = {
  counter: () => counter,
  gauge: () => gauge,
  histogram: () => histogram,
  text: async () => ({ contentType: "text/plain; charset=utf-8", body: "" }),
};

/**
 * Telemetry that discards everything, at no cost. For tests, and for a library used without a
 * service.
 */
export const noTelemetry: Telemetry = {
  logger,
  audit: () => true,
  tracer,
  metrics,
  [Symbol.asyncDispose]: async () => {},
};
