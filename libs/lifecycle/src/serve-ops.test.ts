import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import test from "node:test";
import { Health } from "./health.ts";
import { type OpsOptions, serveOps } from "./serve-ops.ts";

const text = async () => ({ contentType: "text/plain; version=0.0.4", body: "up 1\n" });

async function open(health = new Health(), metrics: OpsOptions["metrics"] = text) {
  const errors: unknown[] = [];
  const ops = await serveOps({ host: "127.0.0.1", port: 0, health, metrics, onError: (error) => errors.push(error) });
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${ops.port}${path}`, init);
  return { get, errors, port: ops.port, [Symbol.asyncDispose]: () => ops[Symbol.asyncDispose]() };
}

test("readiness is 503 until ready, then 200, and 503 after the drain began; liveness is 200 throughout", async () => {
  const health = new Health();
  await using ops = await open(health);
  const codes = async () => [(await ops.get("/readyz")).status, (await ops.get("/healthz")).status];
  assert.deepEqual(await codes(), [503, 200]);
  health.ready();
  assert.deepEqual(await codes(), [200, 200]);
  health.drain();
  assert.deepEqual(await codes(), [503, 200]);
});

test("the answer names a dependency that was not reached but not the reason, which may hold a secret", async () => {
  const health = new Health({ database: () => Promise.reject(new Error("password 'hunter2' is wrong")) });
  health.ready();
  await using ops = await open(health);
  const response = await ops.get("/readyz");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.deepEqual(await response.json(), { status: "NOT_SERVING", draining: false, parts: { database: false } });
});

test("liveness is 503 while an inner part makes no progress", async () => {
  await using ops = await open(new Health({}, { live: { consumer: () => false } }));
  const response = await ops.get("/healthz");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { status: "NOT_SERVING" });
});

test("metrics have their content type, and a query string is ignored", async () => {
  await using ops = await open();
  const response = await ops.get("/metrics?x=1");
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4");
  assert.equal(await response.text(), "up 1\n");
});

for (const { accept, openMetrics } of [
  { accept: undefined, openMetrics: false },
  { accept: "*/*", openMetrics: false },
  { accept: "text/plain;version=0.0.4", openMetrics: false },
  { accept: "application/openmetrics-text;q=0, text/plain", openMetrics: false },
  {
    accept:
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
    openMetrics: true,
  },
]) {
  test(`a scraper that accepts ${accept ?? "nothing in particular"} gets ${openMetrics ? "OpenMetrics" : "text"}`, async () => {
    const render = async (format: { openMetrics: boolean }) => ({
      contentType: "text/plain",
      body: `${format.openMetrics}`,
    });
    await using ops = await open(new Health(), render);
    const response = await ops.get("/metrics", accept === undefined ? {} : { headers: { accept } });
    assert.equal(await response.text(), String(openMetrics));
  });
}

test("HEAD answers like GET without a body", async () => {
  await using ops = await open();
  const response = await ops.get("/metrics", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-length"), "5");
  assert.equal(await response.text(), "");
});

test("other methods get 405 with the allowed ones, other paths get 404", async () => {
  await using ops = await open();
  const response = await ops.get("/metrics", { method: "POST", body: "x".repeat(100_000) });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD");
  assert.equal(response.headers.get("connection"), "close");
  for (const path of ["/", "/metrics/", "/readyz/../metrics2", "/%00"]) assert.equal((await ops.get(path)).status, 404);
});

test("metrics that cannot be rendered answer 500, and the reason goes to onError only", async () => {
  await using ops = await open(new Health(), () => Promise.reject(new Error("secret detail")));
  const response = await ops.get("/metrics");
  assert.equal(response.status, 500);
  assert.equal(await response.text(), "internal\n");
  assert.match(String(ops.errors[0]), /secret detail/);
});

test("concurrent scrapes share one rendering", async () => {
  let renderings = 0;
  const gate = Promise.withResolvers<void>();
  await using ops = await open(new Health(), async () => {
    renderings++;
    await gate.promise;
    return await text();
  });
  const answers = Array.from({ length: 10 }, () => ops.get("/metrics"));
  // A request on its own connection proves that the server has had time to see the others.
  assert.equal((await ops.get("/healthz")).status, 200);
  gate.resolve();
  for (const answer of await Promise.all(answers)) assert.equal(await answer.text(), "up 1\n");
  assert.ok(renderings <= 2, `${renderings} renderings`);
});

test("a client that sends half a request is disconnected", { timeout: 20_000 }, async () => {
  await using ops = await open();
  const socket = connect(ops.port, "127.0.0.1");
  socket.write("GET /readyz HTTP/1.1\r\nhost: x\r\n");
  socket.resume();
  await once(socket, "close");
});

test("headers larger than 8 KiB are refused with 431", async () => {
  await using ops = await open();
  const response = await ops.get("/readyz", { headers: { "x-long": "x".repeat(10_000) } });
  assert.equal(response.status, 431);
});

test("closing ends idle connections at once and refuses new ones", async () => {
  const ops = await open();
  const idle = connect(ops.port, "127.0.0.1");
  await once(idle, "connect");
  const started = performance.now();
  await ops[Symbol.asyncDispose]();
  assert.ok(performance.now() - started < 2_500);
  idle.destroy();
  await assert.rejects(ops.get("/healthz"));
});

test("closing waits at most a second for a scrape that hangs", { timeout: 10_000 }, async () => {
  const scraped = Promise.withResolvers<void>();
  const ops = await open(new Health(), () => {
    scraped.resolve();
    return new Promise(() => {});
  });
  const hung = request({ port: ops.port, host: "127.0.0.1", path: "/metrics" });
  hung.on("error", () => {});
  hung.end();
  await scraped.promise;
  const started = performance.now();
  await ops[Symbol.asyncDispose]();
  assert.ok(performance.now() - started < 4_000);
});

test("a port that is already in use is named in the error", async () => {
  await using ops = await open();
  await assert.rejects(serveOps({ host: "127.0.0.1", port: ops.port, health: new Health(), metrics: text }), {
    code: "unavailable",
    message: `the ops port ${ops.port} cannot be opened: the port is already in use`,
  });
});

test("probes are answered while another address holds silent connections and opens more", async () => {
  await using ops = await open();
  const sockets = new Set<Socket>();
  let stopped = false;
  const hold = (): void => {
    const socket = connect({ port: ops.port, host: "127.0.0.1", localAddress: "127.0.0.66" }).on("error", () => {});
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (!stopped) hold();
    });
  };
  for (let i = 0; i < 80; i++) hold();
  // Some were closed for others, or all are open. Either shows that the port is full.
  while (sockets.size < 80) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let i = 0; i < 20; i++) {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asked = request({ port: ops.port, host: "127.0.0.1", path: "/healthz", agent: false });
      asked.once("response", (response) => resolve(response.resume().statusCode));
      asked.once("error", reject).end();
    });
    assert.equal(status, 200);
  }
  stopped = true;
  for (const socket of sockets) socket.destroy();
});
