import {
  boolean,
  decode,
  double,
  enumeration,
  type Fields,
  hex,
  int64,
  many,
  nanoseconds,
  nested,
  one,
  text,
} from "./wire.ts";

/** What a service sends by OTLP, as far as the tests look at it. Names and numbers are those of opentelemetry-proto 1.x. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
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

interface KeyValue {
  readonly key?: string;
  readonly value?: AnyValue;
}

interface AnyValue {
  readonly text?: string;
  readonly boolean?: boolean;
  readonly int?: number;
  readonly double?: number;
  readonly array?: { readonly values: readonly AnyValue[] };
  readonly map?: { readonly values: readonly KeyValue[] };
}

interface Resource {
  readonly attributes: readonly KeyValue[];
}

interface RawSpan {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  readonly kind?: number;
  readonly startedAt?: bigint;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { readonly name?: string; readonly attributes: readonly KeyValue[] }[];
  readonly links: readonly { readonly traceId?: string; readonly spanId?: string }[];
  readonly status?: { readonly code?: number };
}

interface RawRecord {
  readonly severity?: string;
  readonly body?: AnyValue;
  readonly attributes: readonly KeyValue[];
  readonly traceId?: string;
  readonly spanId?: string;
}

interface Request<Key extends string, Item> {
  readonly resources: readonly ({ readonly resource?: Resource } & {
    readonly scopes: readonly Readonly<Record<Key, readonly Item[]>>[];
  })[];
}

const anyValue: Fields = {
  1: one("text", text),
  2: one("boolean", boolean),
  3: one("int", int64),
  4: one("double", double),
  5: one(
    "array",
    nested(() => ({
      1: many(
        "values",
        nested(() => anyValue),
      ),
    })),
  ),
  6: one(
    "map",
    nested(() => ({
      1: many(
        "values",
        nested(() => keyValue),
      ),
    })),
  ),
};
const keyValue = {
  1: one("key", text),
  2: one(
    "value",
    nested(() => anyValue),
  ),
};
const attributes = many(
  "attributes",
  nested(() => keyValue),
);
const resource = one(
  "resource",
  nested(() => ({ 1: attributes })),
);

const spanFields = {
  1: one("traceId", hex),
  2: one("spanId", hex),
  4: one("parentSpanId", hex),
  5: one("name", text),
  6: one("kind", enumeration),
  7: one("startedAt", nanoseconds),
  9: attributes,
  11: many(
    "events",
    nested(() => ({ 2: one("name", text), 3: attributes })),
  ),
  13: many(
    "links",
    nested(() => ({ 1: one("traceId", hex), 2: one("spanId", hex) })),
  ),
  15: one(
    "status",
    nested(() => ({ 3: one("code", enumeration) })),
  ),
};

const recordFields = {
  3: one("severity", text),
  5: one(
    "body",
    nested(() => anyValue),
  ),
  6: attributes,
  9: one("traceId", hex),
  10: one("spanId", hex),
};

/** Of ExportTraceServiceRequest and ExportLogsServiceRequest alike: resources, in them scopes, in them what was sent. */
function request(name: string, fields: Fields) {
  const scope = {
    2: many(
      name,
      nested(() => fields),
    ),
  };
  return {
    1: many(
      "resources",
      nested(() => ({
        1: resource,
        2: many(
          "scopes",
          nested(() => scope),
        ),
      })),
    ),
  };
}

const kinds = ["internal", "internal", "server", "client", "producer", "consumer"] as const;
const failedStatus = 2;

export function spansOf(body: Uint8Array): Span[] {
  const { resources } = decode(body, request("spans", spanFields)) as Request<"spans", RawSpan>;
  return resources.flatMap(({ resource: of, scopes }) => {
    const described = plain(of?.attributes ?? []);
    return scopes.flatMap(({ spans }) =>
      spans.map((span): Span => {
        return {
          traceId: span.traceId ?? "",
          spanId: span.spanId ?? "",
          parentSpanId: span.parentSpanId ?? "",
          name: span.name ?? "",
          kind: kinds[span.kind ?? 0] ?? "internal",
          service: String(described["service.name"]),
          resource: described,
          attributes: plain(span.attributes),
          events: span.events.map((event) => ({ name: event.name ?? "", attributes: plain(event.attributes) })),
          links: span.links.map((link) => ({ traceId: link.traceId ?? "", spanId: link.spanId ?? "" })),
          failed: span.status?.code === failedStatus,
          startedAt: span.startedAt ?? 0n,
        };
      }),
    );
  });
}

export function logRecordsOf(body: Uint8Array): LogRecord[] {
  const { resources } = decode(body, request("records", recordFields)) as Request<"records", RawRecord>;
  return resources.flatMap(({ resource: of, scopes }) => {
    const service = String(plain(of?.attributes ?? [])["service.name"]);
    return scopes.flatMap(({ records }) =>
      records.map((record): LogRecord => {
        return {
          service,
          severity: record.severity ?? "",
          body: String(valueOf(record.body)),
          attributes: plain(record.attributes),
          traceId: record.traceId ?? "",
          spanId: record.spanId ?? "",
        };
      }),
    );
  });
}

function plain(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key ?? "", valueOf(value)]));
}

function valueOf(value: AnyValue = {}): unknown {
  if (value.array !== undefined) return value.array.values.map(valueOf);
  if (value.map !== undefined) return plain(value.map.values);
  return value.text ?? value.boolean ?? value.int ?? value.double;
}
