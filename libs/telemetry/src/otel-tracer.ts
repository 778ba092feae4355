import {
  type Context,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Link,
  type Attributes as OtelAttributes,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { codeOf } from "@plumbline/errors";
import { messageOf, typeOf } from "./error-fields.ts";
import { newBudget, text } from "./printable.ts";
import type { Attributes, Carrier, Span, SpanKind, Tracer } from "./tracer.ts";

const kinds: Readonly<Record<SpanKind, OtelSpanKind>> = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
};

// W3C trace context only. Baggage would carry whatever a caller sends on to every system behind us.
const propagator = new W3CTraceContextPropagator();
const maxLinks = 128;

/** Our Tracer over OpenTelemetry's, whichever: the SDK's, or the one that only passes ids on. */
export function otelTracer(otel: OtelTracer): Tracer {
  return {
    span(name, options, work) {
      const parent = options.parent === undefined ? context.active() : extract(options.parent);
      const links = options.links?.slice(0, maxLinks).flatMap(linkTo);
      const span = otel.startSpan(
        name,
        {
          kind: kinds[options.kind ?? "internal"],
          ...(options.attributes && { attributes: present(options.attributes) }),
          ...(links && { links }),
        },
        parent,
      );
      return run(span, options.kind ?? "internal", parent, work);
    },
    inject: (carrier) => propagator.inject(context.active(), carrier, defaultTextMapSetter),
    current() {
      const active = trace.getSpanContext(context.active());
      return active && { traceId: active.traceId, spanId: active.spanId };
    },
  };
}

/** The ids of the active span where it is sampled: there is something to look up then. */
export function sampledIds(): { readonly trace_id: string; readonly span_id: string } | undefined {
  const active = trace.getSpanContext(context.active());
  if (active === undefined || (active.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { trace_id: active.traceId, span_id: active.spanId };
}

function run<T>(span: OtelSpan, kind: SpanKind, parent: Context, work: (span: Span) => T): T {
  const fail = (error: unknown): never => {
    recordError(span, kind, error);
    span.end();
    throw error;
  };
  let result: T;
  try {
    result = context.with(trace.setSpan(parent, span), () => work(wrap(span, kind)));
  } catch (error) {
    return fail(error);
  }
  if (!isThenable(result)) {
    span.end();
    return result;
  }
  const settled = result.then((value) => {
    span.end();
    return value;
  }, fail);
  return settled as T;
}

function wrap(span: OtelSpan, kind: SpanKind): Span {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    setAttribute: (key, value) => void span.setAttribute(key, Array.isArray(value) ? [...value] : value),
    addEvent: (name, attributes) => void span.addEvent(name, attributes && present(attributes)),
    fail: (error) => recordError(span, kind, error),
  };
}

// OpenTelemetry's RPC conventions: a server that rightly refuses has not failed, whereas its caller has.
const serverFaults = new Set(["unknown", "deadline_exceeded", "unimplemented", "internal", "unavailable", "data_loss"]);

function recordError(span: OtelSpan, kind: SpanKind, error: unknown): void {
  if (!span.isRecording()) return;
  const code = codeOf(error);
  // Who hangs up on purpose breaks nothing, on either side.
  if (code === "cancelled" || (kind === "server" && !serverFaults.has(code))) {
    span.setAttribute("error.type", code);
    return;
  }
  const budget = newBudget();
  const message = messageOf(error, budget);
  const stack = error instanceof Error && error.stack !== undefined ? text(error.stack, budget, 8_192) : undefined;
  span.setAttribute("error.type", code === "internal" ? typeOf(error) : code);
  span.recordException({ name: typeOf(error), message, ...(stack !== undefined && { stack }) });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

function extract(carrier: Carrier): Context {
  return propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
}

function linkTo(carrier: Carrier): Link[] {
  const remote = trace.getSpanContext(extract(carrier));
  return remote === undefined ? [] : [{ context: remote }];
}

function present(attributes: Attributes): OtelAttributes {
  const result: OtelAttributes = {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) result[key] = Array.isArray(value) ? [...value] : value;
  }
  return result;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
