import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { ExportTraceServiceRequest } from "./gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import type { AnyValue, KeyValue } from "./gen/opentelemetry/proto/common/v1/common.ts";
import type { Span } from "./gen/opentelemetry/proto/trace/v1/trace.ts";

/**
 * A span received by a collector. Kind: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
 * Status: 2 error.
 */
export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly status: number;
  readonly statusMessage: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

/**
 * Starts an OTLP receiver over real HTTP. `answer` decides the status of a request, or delays it.
 */
export async function collector(answer: (request: IncomingMessage) => number | Promise<number> = () => 200) {
  const spans: ReceivedSpan[] = [];
  const bodies: Uint8Array[] = [];
  const requests: { readonly path: string | undefined; readonly type: string | undefined }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      requests.push({ path: request.url, type: request.headers["content-type"] });
      const body = await buffer(request);
      const status = await answer(request);
      const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      if (status === 200) {
        bodies.push(plain);
        spans.push(...spansOf(plain));
      }
      response.writeHead(status).end("a body that is not needed".repeat(10_000));
    })();
  });
  let connections = 0;
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    /** The accepted requests, as protobuf. */
    bodies,
    requests,
    /** The number of connections so far. */
    get connections() {
      return connections;
    },
    span(name: string): ReceivedSpan {
      const found = spans.find((span) => span.name === name);
      if (!found) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(", ")}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function spansOf(body: Uint8Array): ReceivedSpan[] {
  return ExportTraceServiceRequest.decode(body).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = attributesOf(resource?.attributes ?? [])["service.name"] ?? "";
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(span, service)));
  });
}

function spanOf(span: Span, service: string): ReceivedSpan {
  const { traceId, spanId, parentSpanId, name, kind, attributes, events, links, status } = span;
  return {
    service,
    traceId: hex(traceId),
    spanId: hex(spanId),
    parentSpanId: hex(parentSpanId),
    name,
    kind,
    attributes: attributesOf(attributes),
    events: events.map((event) => ({ name: event.name, attributes: attributesOf(event.attributes) })),
    links: links.map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })),
    status: status?.code ?? 0,
    statusMessage: status?.message ?? "",
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function attributesOf(pairs: readonly KeyValue[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, textOf(value)]));
}

/** Formats texts, whole numbers and booleans (as 1 or 0); other values are empty. */
function textOf({ value }: Partial<AnyValue> = {}): string {
  if (value?.$case === "boolValue") return value.value ? "1" : "0";
  return value?.$case === "stringValue" || value?.$case === "intValue" ? `${value.value}` : "";
}
