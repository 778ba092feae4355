import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import { shareKeyName } from "@plumbline/rpc/shares";
import type { UpstreamCall } from "../src/upstream.ts";
import { defaults, openGateway, type TestGateway } from "./support/gateway.ts";
import { type Handler, MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { answerIn, type RawConnection, rawConnection } from "./support/raw.ts";

const order = {
  id: "7",
  customerId: "c",
  items: [{ sku: "tea", quantity: 2 }],
  status: "ORDER_STATUS_PENDING",
  version: "1",
  createTime: "2026-01-31T09:30:00Z",
};

const gatewayFor = (handlers: Record<string, Handler>, settings = {}): Promise<TestGateway> =>
  openGateway(plumbline, { upstream: new MemoryUpstream(plumbline, handlers), settings });

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
});

const fails =
  (error: unknown): Handler =>
  () => {
    throw error;
  };

describe("an RPC", () => {
  test("answers in JSON with int64 as strings, enums by name and unset fields", async () => {
    await using gateway = await gatewayFor({
      GetOrder: (request) => ({ ...order, id: (request as { orderId: string }).orderId }),
    });
    const response = await gateway.fetch("/v1/orders/a%2Fb");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(response.headers.get("x-powered-by"), null);
    assert.equal(
      await response.text(),
      '{"id":"a/b","customerId":"c","items":[{"sku":"tea","quantity":2}],"status":"ORDER_STATUS_PENDING","total":null,"rejectionReason":"","version":"1","createTime":"2026-01-31T09:30:00Z","updateTime":null}',
    );
  });

  test("is reached by each of its bindings", async () => {
    await using gateway = await gatewayFor({
      SayHello: (request) => ({ message: `Hello ${(request as { name: string }).name}` }),
    });
    assert.deepEqual(await (await gateway.fetch("/v1/greetings/Ada%20L.")).json(), { message: "Hello Ada L." });
    assert.deepEqual(await (await gateway.fetch("/v1/greetings", json({ name: "Ada" }))).json(), {
      message: "Hello Ada",
    });
  });

  test("can have a verb, and a body that may be absent", async () => {
    await using gateway = await gatewayFor({
      CancelOrder: (request) => ({ ...order, id: (request as { orderId: string }).orderId }),
    });
    for (const init of [{ method: "POST" }, json({})]) {
      assert.equal(((await (await gateway.fetch("/v1/orders/7:cancel", init)).json()) as { id: string }).id, "7");
    }
  });

  test("that answers with google.api.HttpBody answers with its bytes and their type", async () => {
    const data = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]);
    await using gateway = await gatewayFor({
      GetLabel: () => ({ contentType: "image/png", data: data.toString("base64") }),
    });
    const response = await gateway.fetch("/v1/orders/7/label");
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), data);
  });

  test("answers HEAD with the headers of GET", async () => {
    await using gateway = await gatewayFor({ GetOrder: () => order });
    const response = await gateway.fetch("/v1/orders/7", { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.ok(Number(response.headers.get("content-length")) > 100);
    assert.equal(await response.text(), "");
  });

  test("with 10,000 items reaches the service, which limits their number", async () => {
    const items = Array.from({ length: 10_000 }, (_, i) => ({ sku: `s${i}`, quantity: 1 }));
    let received = 0;
    await using gateway = await gatewayFor({
      PlaceOrder: (request) => {
        received = (request as { items: unknown[] }).items.length;
        throw new ServiceError("invalid_argument", "too many items", {
          violations: [{ field: "items", description: "at most 100" }],
        });
      },
    });
    const response = await gateway.fetch("/v1/orders", json({ customerId: "c", items }));
    assert.equal(received, 10_000);
    assert.equal(response.status, 400);
    assert.deepEqual(((await response.json()) as { violations: unknown }).violations, [
      { field: "items", description: "at most 100" },
    ]);
  });
});

describe("a failure", () => {
  for (const { name, error, status, problem } of [
    {
      name: "not found is 404",
      error: new ServiceError("not_found", "no order 7", { reason: "ORDER_NOT_FOUND" }),
      status: 404,
      problem: { title: "Not Found", detail: "no order 7", code: "not_found", reason: "ORDER_NOT_FOUND" },
    },
    {
      name: "a failed precondition is 400",
      error: new ServiceError("failed_precondition", "no"),
      status: 400,
      problem: { title: "Bad Request", detail: "no", code: "failed_precondition" },
    },
    {
      name: "a state conflict is 409 by its reason",
      error: new ServiceError("failed_precondition", "done", { reason: "ORDER_ALREADY_FULFILLED" }),
      status: 409,
      problem: { title: "Conflict", detail: "done", code: "failed_precondition", reason: "ORDER_ALREADY_FULFILLED" },
    },
    {
      name: "a reused idempotency key is 422 by its reason",
      error: new ServiceError("invalid_argument", "other body", { reason: "IDEMPOTENCY_KEY_REUSED" }),
      status: 422,
      problem: {
        title: "Unprocessable Entity",
        detail: "other body",
        code: "invalid_argument",
        reason: "IDEMPOTENCY_KEY_REUSED",
      },
    },
    {
      name: "an internal error hides its message",
      error: new ServiceError("internal", "select * from secrets"),
      status: 500,
      problem: {
        title: "Internal Server Error",
        detail: "The service failed. Its logs have the cause under this requestId.",
        code: "internal",
      },
    },
    {
      name: "an error that is no ServiceError is internal and hidden",
      error: new Error("secret at /src/x.ts:1"),
      status: 500,
      problem: {
        title: "Internal Server Error",
        detail: "The service failed. Its logs have the cause under this requestId.",
        code: "internal",
      },
    },
    {
      name: "a thrown value that is no error is internal",
      error: "secret",
      status: 500,
      problem: {
        title: "Internal Server Error",
        detail: "The service failed. Its logs have the cause under this requestId.",
        code: "internal",
      },
    },
  ]) {
    test(name, async () => {
      await using gateway = await gatewayFor({ GetOrder: fails(error) });
      const response = await gateway.fetch("/v1/orders/7", { headers: { "x-request-id": "r-1" } });
      assert.equal(response.status, status);
      assert.equal(response.headers.get("content-type"), "application/problem+json");
      assert.deepEqual(await response.json(), { type: "about:blank", status, requestId: "r-1", ...problem });
    });
  }

  test("with a time to retry sets Retry-After", async () => {
    await using gateway = await gatewayFor({
      GetOrder: fails(new ServiceError("unavailable", "busy", { retryAfterMs: 1200 })),
    });
    const response = await gateway.fetch("/v1/orders/7");
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "2");
  });

  test("names fields as JSON does, although the service names them as the proto does", async () => {
    const violations = [
      { field: "customer_id", description: "empty" },
      { field: "items[1].quantity", description: "0" },
      { field: "what_is.this", description: "?" },
    ];
    await using gateway = await gatewayFor({
      PlaceOrder: fails(new ServiceError("invalid_argument", "no", { violations })),
    });
    const { violations: named } = (await (await gateway.fetch("/v1/orders", json({}))).json()) as {
      violations: { field: string }[];
    };
    assert.deepEqual(
      named.map(({ field }) => field),
      ["customerId", "items[1].quantity", "what_is.this"],
    );
  });

  for (const { name, path, init, status, reason, allow } of [
    { name: "an unknown path is 404", path: "/v2/orders", init: {}, status: 404, reason: "ROUTE_NOT_FOUND" },
    {
      name: "a wrong method is 405 with Allow",
      path: "/v1/orders",
      init: { method: "DELETE" },
      status: 405,
      reason: "METHOD_NOT_ALLOWED",
      allow: "GET, HEAD, POST",
    },
    {
      name: "a verb under the wrong method is 405 with Allow",
      path: "/v1/orders/7:cancel",
      init: {},
      status: 405,
      reason: "METHOD_NOT_ALLOWED",
      allow: "POST",
    },
    {
      name: "bad JSON is 400",
      path: "/v1/orders",
      init: json('{"customerId":'),
      status: 400,
      reason: "MALFORMED_JSON",
    },
    {
      name: "an unknown field is 400",
      path: "/v1/orders",
      init: json({ price: 1 }),
      status: 400,
      reason: "INVALID_REQUEST",
    },
    {
      name: "a wrong type is 400",
      path: "/v1/orders",
      init: json({ items: [{}, { quantity: "two" }] }),
      status: 400,
      reason: "INVALID_REQUEST",
    },
    {
      name: "a body without a type is 415",
      path: "/v1/orders",
      init: { method: "POST", body: Buffer.from("{}") },
      status: 415,
      reason: "UNSUPPORTED_MEDIA_TYPE",
    },
    {
      name: "a form is 415",
      path: "/v1/orders",
      init: { method: "POST", body: new URLSearchParams({ a: "b" }) },
      status: 415,
      reason: "UNSUPPORTED_MEDIA_TYPE",
    },
    {
      name: "another charset is 415",
      path: "/v1/orders",
      init: json("{}", { "content-type": "application/json; charset=latin1" }),
      status: 415,
      reason: "UNSUPPORTED_MEDIA_TYPE",
    },
    {
      name: "a compressed body is 415",
      path: "/v1/orders",
      init: json("{}", { "content-encoding": "gzip" }),
      status: 415,
      reason: "UNSUPPORTED_MEDIA_TYPE",
    },
    {
      name: "bytes that are not UTF-8 are 400",
      path: "/v1/orders",
      init: { method: "POST", headers: { "content-type": "application/json" }, body: Buffer.from([0x22, 0xff, 0x22]) },
      status: 400,
      reason: "MALFORMED_JSON",
    },
    {
      name: "an oversized body is 413",
      path: "/v1/orders",
      init: json("x".repeat(2 * 1024 * 1024)),
      status: 413,
      reason: "BODY_TOO_LARGE",
    },
    {
      name: "an oversized body of no stated length is 413",
      path: "/v1/orders",
      init: { ...json(""), body: new Blob(["x".repeat(2 * 1024 * 1024)]).stream(), duplex: "half" } as RequestInit,
      status: 413,
      reason: "BODY_TOO_LARGE",
    },
    { name: "a broken path is 400", path: "/v1/orders/%zz", init: {}, status: 400, reason: "MALFORMED_PATH" },
    {
      name: "a broken timeout is 400",
      path: "/v1/orders/7",
      init: { headers: { "grpc-timeout": "soon" } },
      status: 400,
      reason: "INVALID_HEADER",
    },
    {
      name: "a broken idempotency key is 400",
      path: "/v1/orders",
      init: json({}, { "idempotency-key": "a b" }),
      status: 400,
      reason: "INVALID_HEADER",
    },
    {
      name: "an idempotency key that is too long is 400",
      path: "/v1/orders",
      init: json({}, { "idempotency-key": "k".repeat(256) }),
      status: 400,
      reason: "INVALID_HEADER",
    },
  ].map((row) => ({ allow: null, ...row }))) {
    test(`${name}, with a problem document and no stack`, async () => {
      await using gateway = await gatewayFor({ PlaceOrder: () => order, GetOrder: () => order });
      const response = await gateway.fetch(path, init);
      const text = await response.text();
      const problem = JSON.parse(text) as { status: number; reason: string; requestId: string };
      assert.equal(response.status, status);
      assert.equal(response.headers.get("content-type"), "application/problem+json");
      assert.equal(problem.status, status);
      assert.equal(problem.reason, reason);
      assert.equal(problem.requestId, response.headers.get("x-request-id"));
      assert.equal(response.headers.get("allow"), allow);
      assert.doesNotMatch(text, /\.ts|node_modules|at .*:\d+/);
    });
  }

  test("while a body is read does not affect the next request", async () => {
    await using gateway = await gatewayFor({ PlaceOrder: () => order });
    for (let i = 0; i < 5; i++) {
      assert.equal((await gateway.fetch("/v1/orders", json("x".repeat(3 * 1024 * 1024)))).status, 413);
      assert.equal((await gateway.fetch("/v1/orders", json({ customerId: "c" }))).status, 200);
    }
  });
});

describe("a service receives", () => {
  const calls: UpstreamCall[] = [];
  const GetOrder: Handler = (_request, call) => {
    calls.push(call);
    return order;
  };

  test("the caller's request id if it is valid, else a new one; the response has it too", async () => {
    await using gateway = await gatewayFor({ GetOrder });
    for (const { sent, kept } of [
      { sent: "my-id:1/2", kept: true },
      { sent: "spaces are not valid", kept: false },
      { sent: "x".repeat(129), kept: false },
    ]) {
      calls.length = 0;
      const response = await gateway.fetch("/v1/orders/7", { headers: { "x-request-id": sent } });
      const id = response.headers.get("x-request-id") ?? "";
      assert.equal(calls[0]?.metadata["x-request-id"], id);
      if (kept) assert.equal(id, sent);
      else assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  test("the idempotency key and the client's share key, and no other header", async () => {
    await using gateway = await gatewayFor({ GetOrder });
    calls.length = 0;
    await gateway.fetch("/v1/orders/7", {
      headers: { "idempotency-key": "k-1", authorization: "Bearer x", cookie: "a=b", [shareKeyName]: "another" },
    });
    const { "x-request-id": _, ...others } = calls[0]?.metadata ?? {};
    assert.deepEqual(others, { "idempotency-key": "k-1", [shareKeyName]: "127.0.0.1" });
  });

  test("the client's deadline, up to the limit", async () => {
    await using gateway = await gatewayFor({ GetOrder });
    for (const [header, ms] of [
      ["500m", 500],
      ["2S", 2000],
      ["99H", 60_000],
      [undefined, 5000],
    ] as const) {
      calls.length = 0;
      await gateway.fetch("/v1/orders/7", header === undefined ? {} : { headers: { "grpc-timeout": header } });
      assert.equal(calls[0]?.timeoutMs, ms);
    }
  });
});

describe("a service that is slow", () => {
  const forever: Handler = () => new Promise<never>(() => {});

  test("is answered with 504 at the deadline", async () => {
    await using gateway = await gatewayFor({ GetOrder: forever });
    const response = await gateway.fetch("/v1/orders/7", { headers: { "grpc-timeout": "50m" } });
    assert.equal(response.status, 504);
    const problem = (await response.json()) as { code: string; detail: string };
    assert.equal(problem.code, "deadline_exceeded");
    assert.match(problem.detail, /within 50 ms/);
  });

  test("sees its signal abort when the client disconnects", async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<AbortSignal>();
    await using gateway = await gatewayFor({
      GetOrder: (_request, { signal }) => {
        reach(signal);
        return new Promise<never>(() => {});
      },
    });
    const client = new AbortController();
    const answer = gateway.fetch("/v1/orders/7", { signal: client.signal }).catch(() => "disconnected");
    const signal = await reached;
    const gone = once(signal, "abort", { signal: AbortSignal.timeout(10_000) });
    client.abort();
    assert.equal(await answer, "disconnected");
    await gone;
    assert.equal((signal.reason as Error).name, "AbortError");
  });

  test("gets no more requests than the limit: the next one is refused at once, and accepted later", async () => {
    const held: (() => void)[] = [];
    const settings = { limits: { bodyBytes: 1024, timeoutMs: 5000, maxTimeoutMs: 5000, concurrent: 2, streams: 1 } };
    const bothHeld = Promise.withResolvers<void>();
    await using gateway = await gatewayFor(
      {
        GetOrder: () =>
          new Promise((resolve) => {
            held.push(() => resolve(order));
            if (held.length === 2) bothHeld.resolve();
          }),
      },
      settings,
    );
    const first = [gateway.fetch("/v1/orders/1"), gateway.fetch("/v1/orders/2")];
    await bothHeld.promise;
    const refused = await gateway.fetch("/v1/orders/3");
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal(((await refused.json()) as { reason: string }).reason, "OVERLOADED");
    assert.equal((await gateway.fetch("/healthz")).status, 200);
    for (const release of held) release();
    for (const response of await Promise.all(first)) assert.equal(response.status, 200);
    const next = gateway.fetch("/v1/orders/4");
    while (held.length < 3) await new Promise((resolve) => setImmediate(resolve));
    held[2]?.();
    assert.equal((await next).status, 200);
  });

  test("gets no more of one client than its share, so that others have room", async () => {
    const { promise: end, resolve: finish } = Promise.withResolvers<void>();
    const running = { now: 0 };
    const GetOrder = async () => {
      running.now++;
      await end;
      return order;
    };
    const limits = { ...defaults.limits, concurrent: 4, concurrentPerClient: 3 };
    await using gateway = await gatewayFor({ GetOrder }, { limits });
    using stack = new DisposableStack();
    const ask = async (from: string): Promise<RawConnection> => {
      const connection = stack.use(await rawConnection(gateway.port, from));
      connection.write("GET /v1/orders/7 HTTP/1.1\r\nHost: x\r\n\r\n");
      return connection;
    };
    const own = [];
    for (let i = 0; i < 3; i++) own.push(await ask("127.0.0.66"));
    while (running.now < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    const refused = await (await ask("127.0.0.66")).received(/\}$/);
    const { status, problem } = answerIn(refused);
    assert.deepEqual([status, problem["reason"]], [429, "OVERLOADED"]);
    assert.match(refused, /\r\nRetry-After: 1\r\n/);
    const other = await ask("127.0.0.67");
    while (running.now < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    finish();
    for (const { received } of [...own, other]) assert.equal(answerIn(await received(/\}$/)).status, 200);
    // An answered request gives its place back.
    for (let i = 0; i < 5; i++) {
      const { received } = await ask("127.0.0.66");
      assert.equal(answerIn(await received(/\}$/)).status, 200);
    }
  });
});
