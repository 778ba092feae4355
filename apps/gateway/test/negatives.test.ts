/** Requests that must not get past a gateway that asks for tokens; `npm run negatives` has all. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import type { Upstream } from "../src/upstream.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { startTokenIssuer } from "./support/token-issuer.ts";

const order = { id: "7", customerId: "ada", status: "ORDER_STATUS_PENDING", version: "1" };
const both = "orders:read orders:write";

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** Opens a gateway that trusts an issuer of the test's own, and counts the calls behind it. */
async function open() {
  await using opened = new AsyncDisposableStack();
  const issuer = opened.use(await startTokenIssuer());
  const auth = opened.use(await issuer.auth());
  const calls: string[] = [];
  const called = (name: string) => () => {
    calls.push(name);
    return name === "ListOrders" ? {} : order;
  };
  const upstream = new MemoryUpstream(plumbline, {
    GetOrder: called("GetOrder"),
    ListOrders: called("ListOrders"),
    PlaceOrder: called("PlaceOrder"),
    CancelOrder: called("CancelOrder"),
    SayHello: () => {
      throw new ServiceError("internal", "select secret from table\n    at stack.ts:7");
    },
  });
  const gateway = opened.use(await openGateway(plumbline, { upstream, auth }));
  /** Sends a path as it is: fetch would change some of them. */
  const send = async (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body = "",
  ): Promise<Answer> => {
    const sent = request({
      host: "127.0.0.1",
      port: gateway.port,
      method,
      path,
      headers,
      agent: false,
      timeout: 20_000,
    });
    sent.end(body);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response) text += String(chunk);
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  };
  const bearer = async (scope = both) => ({ authorization: `Bearer ${await issuer.token("ada", scope)}` });
  const owned = opened.move();
  return { send, bearer, calls, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const reasonOf = ({ text }: Answer): unknown => (JSON.parse(text) as { reason: unknown }).reason;

test("another scheme, Bearer alone and a token of 9 KiB are 401 (negative 11)", async () => {
  await using run = await open();
  const { authorization: right } = await run.bearer();
  for (const authorization of [
    "Basic YWRhOmFkYQ==",
    "Bearer",
    "Bearer ",
    right.slice("Bearer ".length),
    `${right} ${right}`,
    `Bearer ${"A".repeat(9_216)}`,
  ]) {
    const answer = await run.send("GET", "/v1/orders/7", { authorization });
    assert.equal(answer.status, 401, authorization.slice(0, 40));
    assert.match(answer.headers["www-authenticate"] ?? "", /error="invalid_token"$/);
  }
  assert.deepEqual(run.calls, []);
});

test("a token in the query, in a body or in a cookie is not looked at (negative 23)", async () => {
  await using run = await open();
  const token = (await run.bearer()).authorization.slice("Bearer ".length);
  const json = { "content-type": "application/json" };
  for (const answer of [
    await run.send("GET", `/v1/orders/7?access_token=${token}`),
    await run.send("GET", "/v1/orders/7", { cookie: `access_token=${token}` }),
    await run.send("POST", "/v1/orders", json, JSON.stringify({ access_token: token })),
  ]) {
    assert.deepEqual([answer.status, reasonOf(answer)], [401, "TOKEN_MISSING"]);
  }
  const withToken = await run.send("GET", `/v1/orders/7?access_token=${token}`, await run.bearer());
  assert.equal(withToken.status, 400);
  assert.ok(!withToken.text.includes(token));
  assert.deepEqual(run.calls, []);
});

test("fields that only an answer has are refused by name in a request (negative 32)", async () => {
  await using run = await open();
  const fields = ["status", "total", "id", "version", "createTime"];
  const body = { items: [{ sku: "tea", quantity: 1 }], ...Object.fromEntries(fields.map((name) => [name, "1"])) };
  const headers = { ...(await run.bearer()), "content-type": "application/json" };
  const answer = await run.send("POST", "/v1/orders", headers, JSON.stringify(body));
  assert.equal(answer.status, 400);
  const { violations } = JSON.parse(answer.text) as { violations: readonly { field: string }[] };
  assert.deepEqual(new Set(violations.map(({ field }) => field)), new Set(fields));
  assert.deepEqual(run.calls, []);
});

test("an answer has the fields of the contract, whatever else a service sends (negative 33)", async () => {
  const whole = {
    ...order,
    items: [{ sku: "tea", quantity: 2 }],
    total: { currencyCode: "EUR", minorUnits: "900" },
    rejectionReason: "out of stock: tea",
    createTime: "2026-11-29T08:00:00Z",
    updateTime: "2026-11-29T08:00:01Z",
  };
  const upstream = new MemoryUpstream(plumbline, {
    GetOrder: () => whole,
    PlaceOrder: () => whole,
    CancelOrder: () => whole,
    ListOrders: () => ({ orders: [whole], nextPageToken: "next" }),
    async *WatchOrder() {
      yield whole;
    },
    SayHello: () => ({ message: "Hello" }),
  });
  // Fields 99 and 100, as a service that is newer than the gateway, or careless, may send.
  const more = Buffer.concat([
    Buffer.from([0x9a, 0x06, 22]),
    Buffer.from("postgres://db/internal"),
    Buffer.from([0xa0, 0x06, 7]),
  ]);
  const careless: Upstream = {
    unary: async (...call) => ({ message: Buffer.concat([(await upstream.unary(...call)).message, more]) }),
    async *serverStream(...call) {
      for await (const message of upstream.serverStream(...call)) yield Buffer.concat([message, more]);
    },
  };
  await using issuer = await startTokenIssuer();
  await using auth = await issuer.auth();
  await using gateway = await openGateway(plumbline, { upstream: careless, auth });
  const authorization = `Bearer ${await issuer.token("ada", both)}`;
  const text = async (path: string, init: RequestInit = {}, accept = "*/*"): Promise<string> => {
    const headers = { authorization, accept, "content-type": "application/json" };
    const response = await gateway.fetch(path, { ...init, headers });
    assert.equal(response.status, 200, path);
    return await response.text();
  };
  const post = { method: "POST", body: "{}" };
  for (const [path, init] of [
    ["/v1/orders/7", {}],
    ["/v1/orders", post],
    ["/v1/orders/7:cancel", post],
  ] as const) {
    assert.deepEqual(JSON.parse(await text(path, init)), whole, path);
  }
  assert.deepEqual(JSON.parse(await text("/v1/orders")), { orders: [whole], nextPageToken: "next" });
  assert.deepEqual(JSON.parse(await text("/v1/greetings/Ada")), { message: "Hello" });
  const lines = await text("/v1/orders/7:watch", {}, "application/x-ndjson");
  assert.deepEqual(JSON.parse(lines.split("\n")[0] ?? ""), { result: whole });
  const data = /^data: (.*)$/m.exec(await text("/v1/orders/7:watch"))?.[1];
  assert.deepEqual(JSON.parse(data ?? ""), whole);
});

test("a method is the one of the request line, and no other one is a way around a scope (negative 40)", async () => {
  await using run = await open();
  const writer = await run.bearer("orders:write");
  const reader = await run.bearer("orders:read");
  const override = { "x-http-method-override": "POST", "x-http-method": "POST", "x-method-override": "POST" };
  assert.equal((await run.send("GET", "/v1/orders", { ...writer, ...override })).status, 403);
  assert.equal((await run.send("GET", "/v1/orders?_method=POST", reader)).status, 400);
  assert.equal((await run.send("HEAD", "/v1/orders/7", writer)).status, 403);
  assert.equal((await run.send("HEAD", "/v1/orders/7:cancel", writer)).status, 405);
  assert.equal((await run.send("OPTIONS", "/v1/orders/7:cancel")).status, 204);
  assert.deepEqual(run.calls, []);
  assert.equal((await run.send("GET", "/v1/orders", { ...reader, ...override })).status, 200);
  assert.deepEqual(run.calls, ["ListOrders"]);
});

test("no spelling of a path is a way around the token (negative 41)", async () => {
  await using run = await open();
  for (const path of [
    "//v1/orders",
    "/V1/orders",
    "/v1/orders/",
    "/v1//orders",
    "/v1/./orders",
    "/v1/x/../orders",
    "/v1/x/%2e%2e/orders",
    "/v1%2forders",
    "/v1/orders%00",
    "/v1/orders;a=b",
    "/v1/orders/7%3Acancel",
    "/v1/orders/x%3Awatch",
    "/docs/../v1/orders",
    "/healthz/../v1/orders",
    "/v1/greetings/../orders",
    "http://other.example.com/v1/orders",
  ]) {
    for (const method of ["GET", "POST", "HEAD"]) {
      const { status } = await run.send(method, path, { "content-type": "application/json" });
      assert.ok(status >= 400 && status < 500, `${method} ${path} is ${status}`);
    }
  }
  assert.deepEqual(run.calls, []);
});

test("every answer has the headers of security, names no server, and has no stack (negative 45)", async () => {
  await using run = await open();
  const token = await run.bearer();
  const origin = { origin: "https://evil.example.com" };
  for (const [status, answer, cached = "no-store"] of [
    [200, await run.send("GET", "/v1/orders/7", { ...token, ...origin })],
    // The same for everybody: a cache may keep them, and asks each time.
    [200, await run.send("GET", "/docs", origin), "no-cache"],
    [200, await run.send("GET", "/openapi.json", origin), "no-cache"],
    [200, await run.send("GET", "/healthz", origin)],
    [401, await run.send("GET", "/v1/orders/7", origin)],
    [404, await run.send("GET", "/v1/nothing", origin)],
    [405, await run.send("DELETE", "/v1/orders", origin)],
    [500, await run.send("GET", "/v1/greetings/Ada", origin)],
  ] as const) {
    assert.equal(answer.status, status);
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
    assert.equal(answer.headers["cache-control"], cached);
    for (const name of ["server", "x-powered-by", "access-control-allow-origin"]) {
      assert.equal(answer.headers[name], undefined, `${status} has ${name}`);
    }
    if (status >= 400) assert.doesNotMatch(answer.text, /\.ts\b|node_modules|secret/);
  }
  const { headers } = await run.send("GET", "/docs");
  assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
});

test("metrics, reflection and debug paths are 404 on the public port (negative 47)", async () => {
  await using run = await open();
  const token = await run.bearer();
  for (const path of [
    "/metrics",
    "/debug",
    "/debug/pprof",
    "/admin",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/orders.v1.OrdersService/GetOrder",
    "/grpc.health.v1.Health/Check",
  ]) {
    for (const method of ["GET", "POST"]) {
      assert.equal((await run.send(method, path, token)).status, 404, `${method} ${path}`);
    }
  }
  assert.deepEqual(run.calls, []);
});
