/**
 * With FULL=1 it gives the competitors all that our gateway does around a request: one log line,
 * counts and durations, W3C trace context, a request id, a rate limit, a bound on concurrency, a
 * deadline. Each takes the faster option (pino, no async context). Without FULL there is none of
 * these.
 */
import { randomUUIDv7 } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";
import { defaultTextMapGetter, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { RandomIdGenerator } from "@opentelemetry/sdk-trace";
import { pino } from "pino";
import prom from "prom-client";

export const isFull = process.env["FULL"] === "1";

const route = "/v1/greetings/{name}";
const rpc = "greeter.v1.Greeter/SayHello";
const perSecond = 1_000_000;
const maxRunning = 100_000;
const timeoutMs = 5_000;

const logger = pino({ base: { service: "gateway" }, messageKey: "message", timestamp: pino.stdTimeFunctions.isoTime });
const ids = new RandomIdGenerator();
const propagator = new W3CTraceContextPropagator();
const counter = (name, labelNames) => new prom.Counter({ name, help: name, labelNames });
const histogram = (name, labelNames) => new prom.Histogram({ name, help: name, labelNames });
const gauge = (name, labelNames) => new prom.Gauge({ name, help: name, labelNames });
const requests = counter("http_requests_total", ["method", "code"]);
const durations = histogram("http_server_request_duration_seconds", ["method", "route", "code"]);
const active = gauge("http_server_active_requests", ["method"]);
const calls = histogram("rpc_client_call_duration_seconds", ["method", "code"]);
const callsActive = gauge("rpc_client_calls_in_flight", ["method"]);

let running = 0;
const windows = { second: 0, taken: 0 };

/**
 * Begins a request: `refused` is the status if a limit refuses it, `call` makes the gRPC call,
 * `end` records the response.
 */
export function begin(method, path, headers, client) {
  const startedAt = performance.now();
  const above = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter));
  const traceId = above?.traceId ?? ids.generateTraceId();
  const spanId = ids.generateSpanId();
  const requestId = headers["x-request-id"] ?? randomUUIDv7();
  const second = Math.floor(startedAt / 1000);
  if (windows.second !== second) Object.assign(windows, { second, taken: 0 });
  const refused = ++windows.taken > perSecond ? 429 : running >= maxRunning ? 503 : undefined;
  running++;
  active.inc({ method });
  return {
    requestId,
    refused,
    async call(send) {
      const metadata = new Metadata();
      metadata.set("x-request-id", requestId);
      metadata.set("traceparent", `00-${traceId}-${ids.generateSpanId()}-00`);
      const before = performance.now();
      callsActive.inc({ method: rpc });
      try {
        const answer = await send(metadata, { deadline: Date.now() + timeoutMs });
        calls.observe({ method: rpc, code: "ok" }, (performance.now() - before) / 1000);
        return answer;
      } finally {
        callsActive.dec({ method: rpc });
      }
    },
    end(status) {
      running--;
      active.dec({ method });
      const seconds = (performance.now() - startedAt) / 1000;
      const code = String(status);
      requests.inc({ method, code });
      durations.observe({ method, route, code }, seconds);
      const durationMs = Math.round(seconds * 1e6) / 1e3;
      logger.info(
        { trace_id: traceId, span_id: spanId, method, route, path, status, durationMs, requestId, client },
        "request",
      );
    },
  };
}
