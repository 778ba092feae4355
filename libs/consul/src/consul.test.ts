import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import test, { describe } from "node:test";
import type { ClientTls } from "@plumbline/rpc";
import { testCa, testClient, testServer } from "@plumbline/rpc/conformance";
import { eventually, startTemporaryConsul, whyNoConsulAgent } from "@plumbline/tools-engines";
import { openConsul } from "./consul.ts";
import { getKey, putKey } from "./keys.ts";

const token = "7c9f7ff9-8d3a-4b0e-9d55-9a3f8d1f2b60";

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

for (const url of [
  "127.0.0.1:8500",
  "ftp://127.0.0.1",
  "http://127.0.0.1:8500/ui",
  "http://user:hunter2@127.0.0.1:8500",
  "http://127.0.0.1:8500/?token=hunter2",
]) {
  test(`the address ${url} is refused, and the error does not repeat it`, () => {
    assert.throws(
      () => openConsul({ url }),
      (error: Error) => error.message.includes("expected http://host:port") && !error.message.includes("hunter2"),
    );
  });
}

for (const key of ["", "/a"]) {
  test(`the key ${JSON.stringify(key)} is refused`, async () => {
    await using consul = openConsul({ url: "http://127.0.0.1:1" });
    await assert.rejects(getKey(consul, key), { code: "invalid_argument" });
  });
}

test("an agent that is away is an error with its address", async () => {
  await using consul = openConsul({ url: "http://127.0.0.1:1" });
  await assert.rejects(getKey(consul, "a/b c"), {
    code: "unavailable",
    message:
      /^GET http:\/\/127\.0\.0\.1:1\/v1\/kv\/a\/b%20c failed \(.*ECONNREFUSED.*\): check that a Consul agent runs/,
  });
});

test("an agent that does not answer is an error when the time is up", async () => {
  const server = createServer(() => {});
  const port = await listening(server);
  await using consul = openConsul({ url: `http://127.0.0.1:${port}`, timeoutMs: 50 });
  await assert.rejects(getKey(consul, "a"), { code: "unavailable", message: /did not answer within 50 ms/ });
  await eventually(
    () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    (count) => count === 0,
  );
  server.close();
});

test("an answer without end is given up at its bound", async () => {
  const server = createServer((_, response) => {
    const write = (): void => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", write);
    write();
  });
  const port = await listening(server);
  await using consul = openConsul({ url: `http://127.0.0.1:${port}` });
  await assert.rejects(getKey(consul, "a"), { code: "resource_exhausted", message: /at most 524288 bytes/ });
  server.close();
});

test("an aborted call rejects with the reason, and closing the client ends its calls", async () => {
  const server = createServer(() => {});
  const port = await listening(server);
  const consul = openConsul({ url: `http://127.0.0.1:${port}` });
  const stop = new AbortController();
  const reason = new Error("stop");
  const aborted = assert.rejects(getKey(consul, "a", { signal: stop.signal }), reason);
  stop.abort(reason);
  await aborted;
  const closed = assert.rejects(getKey(consul, "a"), { code: "cancelled" });
  await consul[Symbol.asyncDispose]();
  await closed;
  server.close();
});

test("a connection that the agent closed while it was idle is replaced", async () => {
  let requests = 0;
  const server = createServer((request, response) => {
    // The second request on a connection is answered by its end, as if both had crossed.
    if (++requests === 2) request.socket.resetAndDestroy();
    else response.end("1");
  });
  const port = await listening(server);
  await using consul = openConsul({ url: `http://127.0.0.1:${port}` });
  assert.equal(await getKey(consul, "a"), "1");
  assert.equal(await getKey(consul, "a"), "1");
  assert.equal(requests, 3);
  server.close();
});

test("the token is not in an error, even if the answer repeats it", async () => {
  const server = createServer((request, response) => {
    response.writeHead(403).end(`token ${String(request.headers["x-consul-token"])} lacks permission`);
  });
  const port = await listening(server);
  await using consul = openConsul({ url: `http://127.0.0.1:${port}`, token: () => token });
  await assert.rejects(getKey(consul, "a"), { code: "permission_denied", message: /token \[secret\] lacks/ });
  server.close();
});

test("https needs a trusted authority, and new certificates apply to new connections", async () => {
  const { certificate: cert, key } = testServer;
  const server = createTlsServer({ cert, key, ca: testCa, requestCert: true }, (_, response) => {
    response.setHeader("connection", "close").end("1");
  });
  const port = await listening(server);
  let tls: ClientTls = {};
  await using consul = openConsul({ url: `https://localhost:${port}`, tls: () => tls });
  const untrusted = { code: "unavailable", message: /check its certificate and the trusted authorities$/ };
  await assert.rejects(getKey(consul, "a"), untrusted);
  tls = { ca: testCa };
  await assert.rejects(getKey(consul, "a"), { code: "unavailable" });
  tls = { ca: testCa, ...testClient };
  assert.equal(await getKey(consul, "a"), "1");
  tls = { ca: testCa, ...testClient, serverName: "elsewhere.test" };
  await assert.rejects(getKey(consul, "a"), untrusted);
  server.close();
});

describe("with an agent", { skip: whyNoConsulAgent() ?? false }, () => {
  test("a rotated token is used at the next call", async () => {
    await using agent = await startTemporaryConsul({ token });
    let current = "00000000-0000-0000-0000-000000000001";
    await using consul = openConsul({ url: agent.url, token: () => current });
    await assert.rejects(putKey(consul, "a", "1"), { code: "permission_denied", message: /403 .*check the token/ });
    current = token;
    await putKey(consul, "a", "1");
    assert.equal(await getKey(consul, "a"), "1");
    assert.equal(await getKey(consul, "b"), undefined);
  });
});
