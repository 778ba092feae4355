import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { decode, type Fields, hex, integer, message, messages, text } from "./protobuf.ts";

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
  const requests: { readonly path: string | undefined; readonly type: string | undefined }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      requests.push({ path: request.url, type: request.headers["content-type"] });
      const body = await buffer(request);
      const status = await answer(request);
      if (status === 200)
        spans.push(...spansOf(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body));
      response.writeHead(status).end();
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
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

// The field numbers of opentelemetry/proto/trace/v1/trace.proto.
function spansOf(body: Uint8Array): ReceivedSpan[] {
  return messages(decode(body), 1).flatMap((resourceSpans) => {
    const service = attributesOf(message(resourceSpans, 1), 1)["service.name"] ?? "";
    return messages(resourceSpans, 2).flatMap((scope) => messages(scope, 2).map((span) => spanOf(span, service)));
  });
}

function spanOf(span: Fields, service: string): ReceivedSpan {
  return {
    service,
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: integer(span, 6),
    attributes: attributesOf(span, 9),
    events: messages(span, 11).map((event) => ({ name: text(event, 2), attributes: attributesOf(event, 3) })),
    links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    status: integer(message(span, 15), 3),
    statusMessage: text(message(span, 15), 2),
  };
}

function attributesOf(fields: Fields | undefined, number: number): Record<string, string> {
  return Object.fromEntries(
    messages(fields, number).map((attribute) => {
      const value = message(attribute, 2);
      const number = value?.get(3)?.[0] ?? value?.get(2)?.[0];
      return [text(attribute, 1), number === undefined ? text(value, 1) : String(number)];
    }),
  );
}
