import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { openConsul } from "./consul.ts";
import { watchKey } from "./keys.ts";

test("a change is seen though another agent answers in between with the same index", async () => {
  let value = "a";
  const server = createServer((request, response) => {
    // An agent holds a request whose index it has not passed.
    if (new URL(request.url ?? "", "http://agent").searchParams.has("index")) return;
    response.writeHead(200, { "x-consul-index": "14" }).end(value);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await using _server = {
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  await using consul = openConsul({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const stop = new AbortController();
  const seen: (string | undefined)[] = [];
  const from = performance.now();
  for await (const found of watchKey(consul, "k", { signal: stop.signal })) {
    seen.push(found);
    if (found === "b") stop.abort();
    // Between two requests the agent ends, and one with another history takes its place.
    server.closeAllConnections();
    value = "b";
  }
  assert.deepEqual(seen, ["a", "b"]);
  // The other agent would hold a request with an index for ten seconds.
  assert.ok(performance.now() - from < 8_000, `after ${performance.now() - from} ms`);
});
