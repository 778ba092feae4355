import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { serveVersions } from "../agent/serve-versions.ts";
import { readVersions } from "./read-versions.ts";

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

void describe("the versions that an agent says", { timeout: 60_000 }, () => {
  void test("are read before all files are written, and after", async (t) => {
    const versions = new Map<string, string>();
    const server = await serveVersions(0, ["tls"], versions);
    t.after(() => server[Symbol.asyncDispose]());
    assert.deepEqual(await readVersions("127.0.0.1", server.port), new Map());
    versions.set("tls", "812");
    assert.deepEqual(await readVersions("127.0.0.1", server.port), new Map([["tls", "812"]]));
  });

  for (const [what, answer] of Object.entries<RequestListener>({
    "is no JSON": (_, response) => response.end("no"),
    "has another shape": (_, response) => response.end('{"versions":{"tls":7}}'),
    "does not end": (_, response) => response.write("{"),
    "is too large": (_, response) => {
      const more = (): void => {
        if (response.destroyed) return;
        response.write("x".repeat(1024));
        setImmediate(more);
      };
      more();
    },
  })) {
    void test(`are unknown when the answer ${what}`, async (t) => {
      assert.equal(await readVersions("127.0.0.1", await serve(t, answer)), undefined);
    });
  }

  void test("are unknown when nothing listens", async (t) => {
    const port = await serve(t, (_, response) => response.end());
    const stop = AbortSignal.abort();
    assert.equal(await readVersions("127.0.0.1", port, { signal: stop }), undefined);
    assert.equal(await readVersions("127.0.0.1", 1), undefined);
  });
});
