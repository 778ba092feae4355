import { ExportLogsServiceRequest } from "../gen/opentelemetry/proto/collector/logs/v1/logs_service.ts";
import { ExportTraceServiceRequest } from "../gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import type { AnyValue, KeyValue } from "../gen/opentelemetry/proto/common/v1/common.ts";
import { Span_SpanKind, Status_StatusCode } from "../gen/opentelemetry/proto/trace/v1/trace.ts";

/** A span for the tests: ids in hexadecimal, attributes as plain values. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** The parent's id; empty for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer";
  readonly service: string;
  readonly resource: Attributes;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
  readonly startedAt: bigint;
}

export interface LogRecord {
  readonly service: string;
  readonly severity: string;
  readonly body: string;
  readonly attributes: Attributes;
  readonly traceId: string;
  readonly spanId: string;
}

export type Attributes = Readonly<Record<string, unknown>>;

const kinds: Readonly<Record<Span_SpanKind, Span["kind"]>> = {
  [Span_SpanKind.SPAN_KIND_UNSPECIFIED]: "internal",
  [Span_SpanKind.SPAN_KIND_INTERNAL]: "internal",
  [Span_SpanKind.SPAN_KIND_SERVER]: "server",
  [Span_SpanKind.SPAN_KIND_CLIENT]: "client",
  [Span_SpanKind.SPAN_KIND_PRODUCER]: "producer",
  [Span_SpanKind.SPAN_KIND_CONSUMER]: "consumer",
};

/** Returns the spans of an ExportTraceServiceRequest. */
export function spansOf(body: Uint8Array): Span[] {
  return ExportTraceServiceRequest.decode(body).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const described = plain(resource?.attributes);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(
        (span): Span => ({
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          name: span.name,
          kind: kinds[span.kind],
          service: String(described["service.name"]),
          resource: described,
          attributes: plain(span.attributes),
          events: span.events.map(({ name, attributes }) => ({ name, attributes: plain(attributes) })),
          links: span.links.map(({ traceId, spanId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
          failed: span.status?.code === Status_StatusCode.STATUS_CODE_ERROR,
          startedAt: span.startTimeUnixNano,
        }),
      ),
    );
  });
}

/** Returns the log records of an ExportLogsServiceRequest. */
export function logRecordsOf(body: Uint8Array): LogRecord[] {
  return ExportLogsServiceRequest.decode(body).resourceLogs.flatMap(({ resource, scopeLogs }) => {
    const service = String(plain(resource?.attributes)["service.name"]);
    return scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map(
        (record): LogRecord => ({
          service,
          severity: record.severityText,
          body: String(valueOf(record.body)),
          attributes: plain(record.attributes),
          traceId: hex(record.traceId),
          spanId: hex(record.spanId),
        }),
      ),
    );
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function plain(pairs: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf({ value }: Partial<AnyValue> = {}): unknown {
  if (value?.$case === "arrayValue") return value.value.values.map(valueOf);
  if (value?.$case === "kvlistValue") return plain(value.value.values);
  return value?.$case === "intValue" ? Number(value.value) : value?.value;
}
