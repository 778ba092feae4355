import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import test from "node:test";
import { fileURLToPath } from "node:url";

const probe = fileURLToPath(new URL("./probe.ts", import.meta.url));

async function run(url: string): Promise<{ code: number | null; complaint: string }> {
  const child = spawn(process.execPath, [probe], { env: { ...process.env, PROBE_URL: url } });
  const [[code], complaint] = await Promise.all([once(child, "close"), text(child.stderr)]);
  return { code: code as number | null, complaint };
}

async function answering(answer: RequestListener) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("an app that is ready is healthy", async () => {
  await using app = await answering((_, response) => response.end("SERVING"));
  assert.deepEqual(await run(app.url), { code: 0, complaint: "" });
});

test("an app that is not ready is unhealthy, and its reason is printed", async () => {
  await using app = await answering((_, response) => response.writeHead(503).end("database: not reached"));
  const { code, complaint } = await run(app.url);
  assert.equal(code, 1);
  assert.match(complaint, /answered 503: database: not reached/);
});

test("an app that does not respond is unhealthy after two seconds", async () => {
  await using app = await answering(() => {});
  const { code, complaint } = await run(app.url);
  assert.equal(code, 1);
  assert.match(complaint, /did not answer: .*timeout/);
});

test("an app that does not listen is unhealthy", async () => {
  const app = await answering(() => {});
  await app[Symbol.asyncDispose]();
  const { code, complaint } = await run(app.url);
  assert.equal(code, 1);
  assert.match(complaint, /did not answer: .*ECONNREFUSED/);
});
