import assert from "node:assert/strict";
import test from "node:test";
import { call, eventually, post, readEvents } from "../src/http.ts";
import type { Running } from "../src/stack.ts";

const order = (sku: string, quantity = 2) => ({ customerId: "ada", items: [{ sku, quantity }] });
const ended = (answer: { json: Record<string, unknown> }) => answer.json["status"] !== "ORDER_STATUS_PENDING";

/**
 * The journeys of a client. They need only the address of the gateway, so they run against any
 * deployment.
 */
export function httpJourneys(base: () => string): void {
  test("a name is greeted over REST, by path and by body", async () => {
    assert.equal((await call(`${base()}/v1/greetings/World`)).json["message"], "Hello World");
    assert.equal((await post(`${base()}/v1/greetings`, { name: "Ada" })).json["message"], "Hello Ada");
  });

  test("an order travels over REST, gRPC, Postgres, event, worker and event, and is fulfilled", async () => {
    const placed = await post(`${base()}/v1/orders`, order("tea"));
    assert.equal(placed.status, 200);
    assert.equal(placed.json["status"], "ORDER_STATUS_PENDING");
    assert.equal(placed.json["total"], null);
    const url = `${base()}/v1/orders/${placed.json["id"]}`;
    const settled = await eventually(() => call(url), ended);
    assert.equal(settled.json["status"], "ORDER_STATUS_FULFILLED");
    assert.match((settled.json["total"] as { minorUnits: string }).minorUnits, /^[1-9]\d*$/);
    const label = await call(`${url}/label`);
    assert.equal(label.headers.get("content-type"), "image/png");
    assert.equal(label.text.slice(1, 4), "PNG");
  });

  test("an order for an item out of stock is rejected with a reason, and has no label", async () => {
    const placed = await post(`${base()}/v1/orders`, order("unicorn"));
    const url = `${base()}/v1/orders/${placed.json["id"]}`;
    const settled = await eventually(() => call(url), ended);
    assert.equal(settled.json["status"], "ORDER_STATUS_REJECTED");
    assert.match(settled.json["rejectionReason"] as string, /unicorn/);
    assert.equal((await call(`${url}/label`)).status, 404);
  });

  test("a watcher sees the order pending, then its end, and the stream closes; Last-Event-ID resumes after the last event", async () => {
    const placed = await post(`${base()}/v1/orders`, order("tea"));
    const url = `${base()}/v1/orders/${placed.json["id"]}:watch`;
    const events = await readEvents(url);
    assert.equal(events.at(-1)?.data["status"], "ORDER_STATUS_FULFILLED");
    const versions = events.map((event) => Number(event.id));
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    );
    assert.deepEqual(
      (await readEvents(url, { "last-event-id": "1" })).map((event) => event.id),
      ["2"],
    );
  });

  test("cancelling an order that has ended is a conflict", async () => {
    const placed = await post(`${base()}/v1/orders`, order("tea"));
    const url = `${base()}/v1/orders/${placed.json["id"]}`;
    await eventually(() => call(url), ended);
    const refused = await post(`${url}:cancel`, {});
    assert.equal(refused.status, 409);
    assert.equal(refused.json["reason"], "ORDER_ALREADY_FULFILLED");
  });

  test("one idempotency key makes one order, also with repeated and concurrent requests", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => post(`${base()}/v1/orders`, order("tea"), headers)),
    );
    assert.equal(
      new Set(answers.map((answer) => answer.json["id"])).size,
      1,
      JSON.stringify(answers.map((answer) => answer.text)),
    );
    const reused = await post(`${base()}/v1/orders`, order("tea", 3), headers);
    assert.equal(reused.status, 422);
  });

  test("a customer's orders are listed page by page, each once", async () => {
    const customerId = `lister-${crypto.randomUUID().slice(0, 8)}`;
    const placed = await Promise.all(
      Array.from({ length: 5 }, () => post(`${base()}/v1/orders`, { ...order("tea"), customerId })),
    );
    const ids: unknown[] = [];
    let pageToken = "";
    do {
      const query = new URLSearchParams({ customerId, pageSize: "2", pageToken });
      const page = await call(`${base()}/v1/orders?${query}`);
      ids.push(...(page.json["orders"] as { id: string }[]).map((one) => one.id));
      pageToken = page.json["nextPageToken"] as string;
    } while (pageToken !== "");
    assert.deepEqual(ids.toSorted(), placed.map((one) => one.json["id"]).toSorted());
  });

  for (const { name, body, status, field } of [
    { name: "incomplete JSON", body: '{"customerId":', status: 400, field: undefined },
    { name: "an unknown field", body: { ...order("tea"), colour: "red" }, status: 400, field: "colour" },
    {
      name: "a word where a number belongs",
      body: { customerId: "ada", items: [{ sku: "tea", quantity: "two" }] },
      status: 400,
      field: "items[0].quantity",
    },
    { name: "a negative quantity", body: order("tea", -1), status: 400, field: "items[0].quantity" },
    { name: "no items", body: { customerId: "ada", items: [] }, status: 400, field: "items" },
    {
      name: "10,000 items",
      body: {
        customerId: "ada",
        items: Array.from({ length: 10_000 }, (_, index) => ({ sku: `sku-${index}`, quantity: 1 })),
      },
      status: 400,
      field: "items",
    },
    {
      name: "a body of two megabytes",
      body: JSON.stringify({ customerId: "a".repeat(2_000_000), items: [] }),
      status: 413,
      field: undefined,
    },
  ]) {
    test(`${name} gets status ${status} and a problem document that names the field, without a stack trace`, async () => {
      const answer = await post(`${base()}/v1/orders`, body);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assert.doesNotMatch(answer.text, /\bat .*\.[jt]s:\d+/);
      assert.ok(answer.json["requestId"]);
      if (field !== undefined) assert.ok(answer.text.includes(`"${field}"`), answer.text);
    });
  }

  test("the OpenAPI document names every route of the protos", async () => {
    const { json } = await call(`${base()}/openapi.json`);
    assert.match(json["openapi"] as string, /^3\.1\./);
    assert.deepEqual(Object.keys(json["paths"] as object).toSorted(), [
      "/v1/greetings",
      "/v1/greetings/{name}",
      "/v1/orders",
      "/v1/orders/{orderId}",
      "/v1/orders/{orderId}/label",
      "/v1/orders/{orderId}:cancel",
      "/v1/orders/{orderId}:watch",
    ]);
  });
}

/** Makes the gateway continue the trace of a caller on this machine, as of a proxy. */
export const trustedCaller = { GATEWAY_HTTP_TRUST_PROXY: "loopback", GATEWAY_HTTP_TRUST_TRACE: "true" };

/**
 * The journeys of an operator, who can reach the processes. They need a stack with the environment
 * `trustedCaller`.
 */
export function operatorJourneys(running: () => Running): void {
  test("one trace covers every service and their logs", async () => {
    const traceId = crypto.randomUUID().replaceAll("-", "");
    const placed = await post(`${running().base}/v1/orders`, order("tea"), {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    });
    await eventually(() => call(`${running().base}/v1/orders/${placed.json["id"]}`), ended);
    const services = () =>
      new Set(
        running()
          .lines.filter(({ line }) => line.includes(traceId))
          .map(({ name }) => name),
      );
    const seen = await eventually(
      async () => [...services()].toSorted(),
      (names) => names.length >= 3,
    );
    assert.deepEqual(seen, ["gateway", "orders", "worker"]);
  });

  test("every process reports its health and counts its requests", async () => {
    const { gatewayOps, greeterOps, ordersOps, workerOps } = running().ports;
    for (const port of [gatewayOps, greeterOps, ordersOps, workerOps]) {
      assert.equal((await call(`http://127.0.0.1:${port}/healthz`)).status, 200);
      assert.equal((await call(`http://127.0.0.1:${port}/readyz`)).status, 200);
    }
    assert.match(
      (await call(`http://127.0.0.1:${gatewayOps}/metrics`)).text,
      /^http_requests_total\{.*code="200".*\} \d+/m,
    );
    assert.equal((await call(`${running().base}/readyz`)).status, 200);
  });
}
