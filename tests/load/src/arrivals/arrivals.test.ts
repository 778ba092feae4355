import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { noCredentials, useCredentials } from "@plumbline/tools-stack/identity";
import { runArrivals } from "./run-arrivals.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that answers every request with 200 and an order, unless `handler` has answered it. */
async function gateway(t: TestContext, handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    handler(request, response);
    if (!response.headersSent && !response.destroyed && !request.socket.destroyed) response.end('{"id":"o1"}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  useCredentials(url, noCredentials);
  return url;
}

/** Returns a signal that aborts once `reached` is called. */
function until() {
  const over = new AbortController();
  return { signal: over.signal, reached: () => over.abort() };
}

test("half of the requests use connections that last, and no request fails", async (t) => {
  const { signal, reached } = until();
  const connections = { lasting: 0, single: 0 };
  const url = await gateway(t, ({ headers }) => {
    connections[headers.connection === "close" ? "single" : "lasting"] += 1;
    if (connections.single + connections.lasting === 40) reached();
  });
  const report = await runArrivals({ url, rate: 500, watchers: 0 }, signal);
  assert.deepEqual([report.failed, report.failures], [0, []]);
  assert.ok(Math.abs(connections.lasting - connections.single) <= 1, JSON.stringify(connections));
});

test("a refused request and a broken connection are failures, and are not sent again", async (t) => {
  const { signal, reached } = until();
  let seen = 0;
  const url = await gateway(t, (request, response) => {
    seen += 1;
    if (seen === 5) response.writeHead(503).end("draining");
    if (seen === 10) request.socket.destroy();
    if (seen === 20) reached();
  });
  const report = await runArrivals({ url, rate: 200, watchers: 0 }, signal);
  assert.equal(report.failed, 2);
  assert.equal(report.sent, seen);
  assert.match(report.failures.map(({ problem }) => problem).join("\n"), /503 draining/);
  assert.match(report.failures.map(({ problem }) => problem).join("\n"), /connection: ECONNRESET/);
});

test("a watcher continues a stream that ends early or breaks from its last id, and sees the end", async (t) => {
  const { signal, reached } = until();
  const resumed: (string | undefined)[] = [];
  const url = await gateway(t, (request, response) => {
    if (request.url?.endsWith(":watch") !== true) return;
    resumed.push(request.headers["last-event-id"]?.toString());
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (resumed.length === 1) response.end("retry: 1\n\nid: a\ndata: {}\n\nretry: 1\n: reconnect\n\n");
    else if (resumed.length === 2) response.write("retry: 1\n\nid: b\ndata: {}\n\n", () => response.destroy());
    else {
      reached();
      response.end("event: end\ndata: {}\n\n");
    }
  });
  const { watches } = await runArrivals({ url, rate: 1, watchers: 1 }, signal);
  assert.deepEqual(resumed, [undefined, "a", "b"]);
  assert.deepEqual([watches.begun, watches.ended, watches.reconnected, watches.broken], [1, 1, 1, 1]);
});

test("a watcher whose stream is refused has not seen the end", async (t) => {
  const { signal, reached } = until();
  const url = await gateway(t, (request, response) => {
    if (request.url?.endsWith(":watch") !== true) return;
    reached();
    response.writeHead(503).end("unavailable");
  });
  const { watches } = await runArrivals({ url, rate: 1, watchers: 1 }, signal);
  assert.deepEqual([watches.begun, watches.ended], [1, 0]);
  assert.match(watches.failures[0]?.problem ?? "", /refused: 503 unavailable/);
});
