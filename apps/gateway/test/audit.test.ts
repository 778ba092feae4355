/** The audit log: who was refused, and what operators did, in the lines of a gateway. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import { startTelemetry } from "@plumbline/telemetry";
import { openAuditLog } from "../src/audit/audit-log.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { startTokenIssuer } from "./support/token-issuer.ts";

const order = { id: "7", customerId: "ada", status: "ORDER_STATUS_PENDING", version: "1" };
const both = "orders:read orders:write";
type Line = Readonly<Record<string, unknown>>;

/** Opens a gateway with an audit log, whose lines and metrics a test can read. */
async function open() {
  await using opened = new AsyncDisposableStack();
  let text = "";
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const telemetry = opened.use(startTelemetry({ service: "gateway", destination, logLevel: "error" }));
  const issuer = opened.use(await startTokenIssuer());
  const auth = opened.use(await issuer.auth());
  const audit = openAuditLog(telemetry);
  const upstream = new MemoryUpstream(plumbline, {
    GetOrder: () => order,
    ListOrders: () => {
      throw new ServiceError("permission_denied", "another customer", { reason: "CUSTOMER_MISMATCH" });
    },
    PlaceOrder: () => {
      throw new ServiceError("resource_exhausted", "too many", { reason: "ORDER_QUOTA", retryAfterMs: 1_000 });
    },
  });
  const gateway = opened.use(await openGateway(plumbline, { upstream, auth, telemetry, audit }));
  const send = async (path: string, token?: string, body?: object): Promise<number> => {
    const response = await gateway.fetch(path, {
      headers: { "content-type": "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    });
    await response.text();
    return response.status;
  };
  /** Ends the window, and returns the lines of the audit log. */
  const lines = async (): Promise<readonly Line[]> => {
    await gateway[Symbol.asyncDispose]();
    await audit[Symbol.asyncDispose]();
    return text
      .split("\n")
      .filter((line) => line.includes('"message":"audit"'))
      .map((line) => JSON.parse(line) as Line);
  };
  const owned = opened.move();
  const metrics = async () => (await telemetry.metrics.text()).body;
  return { issuer, send, lines, metrics, text: () => text, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("a refusal and what an operator did are events with who, what and why, and without the token", async () => {
  await using run = await open();
  const [ada, reader, operator] = await Promise.all([
    run.issuer.token("ada", both),
    run.issuer.token("bob", "orders:write"),
    run.issuer.token("eve", `${both} orders:operate`),
  ]);
  assert.equal(await run.send("/v1/orders/7"), 401);
  assert.equal(await run.send("/v1/orders/7", "forged"), 401);
  assert.equal(await run.send("/v1/orders/7", reader), 403);
  assert.equal(await run.send("/v1/orders?customerId=bob", ada), 403);
  assert.equal(await run.send("/v1/orders", ada, { items: [{ sku: "tea", quantity: 1 }], customerId: "ada" }), 429);
  assert.equal(await run.send("/v1/orders/7", operator), 200);
  assert.equal(await run.send("/v1/orders/7", ada), 200);
  assert.equal(await run.send("/v1/nothing", ada), 404);
  const lines = await run.lines();
  assert.deepEqual(
    lines.map(({ outcome, reason, subject, client, address, method, route, object, count }) => ({
      who: [subject, client, address],
      what: [method, route, object],
      outcome: [outcome, reason, count],
    })),
    [
      ["refused", "TOKEN_MISSING", undefined, "GET", "/v1/orders/{order_id}", "/v1/orders/7"],
      ["refused", "TOKEN_INVALID", undefined, "GET", "/v1/orders/{order_id}", "/v1/orders/7"],
      ["refused", "INSUFFICIENT_SCOPE", "bob", "GET", "/v1/orders/{order_id}", "/v1/orders/7"],
      ["refused", "CUSTOMER_MISMATCH", "ada", "GET", "/v1/orders", "/v1/orders"],
      ["refused", "ORDER_QUOTA", "ada", "POST", "/v1/orders", "/v1/orders"],
      ["operated", "OPERATOR", "eve", "GET", "/v1/orders/{order_id}", "/v1/orders/7"],
    ].map(([outcome, reason, subject, method, route, object]) => ({
      who: [subject, subject && "cli", "127.0.0.1"],
      what: [method, route, object],
      outcome: [outcome, reason, 1],
    })),
  );
  for (const line of lines) assert.match(String(line["trace_id"]), /^[0-9a-f]{32}$/);
  for (const token of [ada, reader, operator]) assert.ok(!run.text().includes(token.slice(-40)));
});

test("a flood of refusals is two lines, and drops nothing", async () => {
  await using run = await open();
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (let sent = 0; sent < 20; sent++) await run.send(`/v1/orders/${sent}`, "forged");
    }),
  );
  const metrics = await run.metrics();
  const lines = await run.lines();
  assert.deepEqual(
    lines.map(({ reason, count }) => [reason, count]),
    [
      ["TOKEN_INVALID", 1],
      ["TOKEN_INVALID", 399],
    ],
  );
  assert.match(metrics, /^audit_events_total\{outcome="refused"\} 400$/m);
  assert.doesNotMatch(metrics, /^audit_dropped_total [^0]/m);
});
