import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { type LogRecord, logRecordsOf, type Span, spansOf } from "./messages.ts";

export interface Receiver extends AsyncDisposable {
  /** The `otlpEndpoint` for the services. */
  readonly endpoint: string;
  readonly spans: readonly Span[];
  readonly logs: readonly LogRecord[];
}

/**
 * A collector in this process: OTLP over HTTP with protobuf, as the services' exporters send it. It
 * keeps everything, so a test should be short.
 */
export async function startReceiver(
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<Receiver> {
  const { host = "127.0.0.1", port = 0 } = options;
  const spans: Span[] = [];
  const logs: LogRecord[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sent = await buffer(request);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    if (request.headers["content-type"] !== "application/x-protobuf") response.statusCode = 415;
    else if (request.url === "/v1/traces") spans.push(...spansOf(body));
    else if (request.url === "/v1/logs") logs.push(...logRecordsOf(body));
    else response.statusCode = 404;
    // An empty message: everything was accepted.
    response.setHeader("content-type", "application/x-protobuf").end();
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, host, resolve);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    logs,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
