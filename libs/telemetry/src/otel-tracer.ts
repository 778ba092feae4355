import {
  type Context,
  context,
  defaultTextMapGetter,
  INVALID_TRACEID,
  type Link,
  type Attributes as OtelAttributes,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { TRACE_PARENT_HEADER, TRACE_STATE_HEADER, W3CTraceContextPropagator } from "@opentelemetry/core";
import { codeOf } from "@plumbline/errors";
import { messageOf, typeOf } from "./error-fields.ts";
import { idSpan, idsBelow } from "./id-span.ts";
import { emptyContext } from "./linked-context.ts";
import { newBudget, text } from "./printable.ts";
import { maxOfSpan, RecordedSpan, type SpanSink } from "./recorded-span.ts";
import { isKept } from "./sampling.ts";
import type { Attributes, AttributeValue, Carrier, OpenSpan, Span, SpanKind, SpanOptions, Tracer } from "./tracer.ts";

const kinds: Readonly<Record<SpanKind, OtelSpanKind>> = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
};

// W3C trace context only. Baggage would pass data of the caller on to every downstream system.
const propagator = new W3CTraceContextPropagator();
const noLinks: readonly Link[] = [];

/**
 * Returns a Tracer that hands the sampled spans to `sink` when they end: `sampleRatio` of new
 * traces. Without a sink no span is recorded, but ids are still passed on.
 */
export function otelTracer(sink?: SpanSink, sampleRatio = 0): Tracer {
  const begin = (name: string, options: SpanOptions, context: Context): OtelSpan => {
    const parent = trace.getSpanContext(context);
    if (sink === undefined) return idSpan(parent);
    const links = options.links === undefined ? noLinks : options.links.slice(0, maxOfSpan).flatMap(linkTo);
    if (!isKept(parent, links, sampleRatio)) return idSpan(parent);
    const span = new RecordedSpan(sink, {
      name,
      kind: kinds[options.kind ?? "internal"],
      ids: idsBelow(parent, TraceFlags.SAMPLED),
      parent,
      links,
    });
    // After the decision, which is none of the stranger's.
    if (options.stranger !== undefined && options.parent === undefined) span.addLinks(linkToStranger(options.stranger));
    const { attributes } = options;
    if (attributes !== undefined) setAll(span, typeof attributes === "function" ? attributes() : attributes);
    return span;
  };
  return {
    span(name, options, work) {
      const parent = parentOf(options);
      const span = begin(name, options, parent);
      return run(new StartedSpan(span, options.kind), trace.setSpan(parent, span), work);
    },
    start(name, options) {
      return new StartedSpan(begin(name, options, parentOf(options)), options.kind);
    },
    carrier: () => carrierOf(trace.getSpanContext(context.active())),
    addEvent(name, attributes) {
      const active = trace.getActiveSpan();
      if (active?.isRecording() === true) active.addEvent(name, attributes && present(attributes));
    },
    current() {
      const active = trace.getSpanContext(context.active());
      return active && { traceId: active.traceId, spanId: active.spanId };
    },
  };
}

function parentOf({ parent, stranger }: SpanOptions): Context {
  if (parent !== undefined) return extract(parent);
  return stranger === undefined ? context.active() : emptyContext;
}

function setAll(span: RecordedSpan, attributes: Attributes): void {
  for (const key in attributes) {
    const value = attributes[key];
    if (value !== undefined) span.setAttribute(key, value);
  }
}

/**
 * Returns the ids of the active span if it is sampled, since only then there is a trace to look up.
 */
export function sampledIds(): { readonly trace_id: string; readonly span_id: string } | undefined {
  const active = trace.getSpanContext(context.active());
  if (active === undefined || (active.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { trace_id: active.traceId, span_id: active.spanId };
}

function run<T>(span: StartedSpan, active: Context, work: (span: Span) => T): T {
  let result: T;
  try {
    result = context.with(active, work, undefined, span);
  } catch (error) {
    return failed(span, error);
  }
  if (!isThenable(result)) {
    span.end();
    return result;
  }
  const settled = result.then(
    (value) => {
      span.end();
      return value;
    },
    (error: unknown) => failed(span, error),
  );
  return settled as T;
}

function failed(span: StartedSpan, error: unknown): never {
  span.fail(error);
  span.end();
  throw error;
}

class StartedSpan implements OpenSpan {
  readonly #span: OtelSpan;
  readonly #kind: SpanKind;

  constructor(span: OtelSpan, kind: SpanKind = "internal") {
    this.#span = span;
    this.#kind = kind;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  setAttribute(key: string, value: AttributeValue): void {
    this.#span.setAttribute(key, Array.isArray(value) ? [...value] : value);
  }

  addEvent(name: string, attributes?: Attributes): void {
    if (this.#span.isRecording()) this.#span.addEvent(name, attributes && present(attributes));
  }

  fail(error: unknown): void {
    recordError(this.#span, this.#kind, error);
  }

  carrier(): Record<string, string> {
    return carrierOf(this.#span.spanContext());
  }

  end(): void {
    this.#span.end();
  }
}

// OpenTelemetry's RPC conventions: a refusal is a failure of the caller, not of the server.
const serverFaults = new Set(["unknown", "deadline_exceeded", "unimplemented", "internal", "unavailable", "data_loss"]);

function recordError(span: OtelSpan, kind: SpanKind, error: unknown): void {
  if (!span.isRecording()) return;
  const code = codeOf(error);
  // A cancellation is no failure on either side.
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
  // Most callers send no trace context.
  if (carrier[TRACE_PARENT_HEADER] === undefined) return emptyContext;
  return propagator.extract(emptyContext, carrier, defaultTextMapGetter);
}

/**
 * Returns W3C Trace Context, version 00. By hand, since the propagator needs a context and checks
 * our own ids.
 */
function carrierOf(ids: SpanContext | undefined): Record<string, string> {
  const carrier: Record<string, string> = {};
  if (ids === undefined || ids.traceId === INVALID_TRACEID) return carrier;
  carrier[TRACE_PARENT_HEADER] = `00-${ids.traceId}-${ids.spanId}-0${ids.traceFlags & TraceFlags.SAMPLED}`;
  if (ids.traceState) carrier[TRACE_STATE_HEADER] = ids.traceState.serialize();
  return carrier;
}

function linkTo(carrier: Carrier): Link[] {
  const remote = trace.getSpanContext(extract(carrier));
  return remote === undefined ? [] : [{ context: remote }];
}

function linkToStranger({ [TRACE_PARENT_HEADER]: traceparent }: Carrier): Link[] {
  return traceparent === undefined ? [] : linkTo({ [TRACE_PARENT_HEADER]: traceparent });
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
