import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aborted, deadlineOf, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type TransportName, transportNames } from "@plumbline/rpc";
import { shareKeyName } from "@plumbline/rpc/shares";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import type { LiveSettings } from "../src/app.ts";
import { openClients } from "../src/clients.ts";
import type { TrustProxy } from "../src/http/client-address.ts";
import { allEvents, readEvents } from "./support/event-stream.ts";
import { openGateway, type TestGateway } from "./support/gateway.ts";
import { type Behaviour, orderOf, serveServices } from "./support/grpc-services.ts";
import { plumbline } from "./support/orders.ts";

/** Opens a gateway in front of real gRPC servers. */
async function open(
  behaviour: Behaviour = {},
  settings: Partial<LiveSettings> = {},
  telemetry: Telemetry = noTelemetry,
  { transport = "grpc-js", trustProxy = false }: { transport?: TransportName; trustProxy?: TrustProxy } = {},
) {
  const stack = new AsyncDisposableStack();
  const services = stack.use(await serveServices(behaviour));
  const clients = stack.use(await openClients({ all: `dns:///127.0.0.1:${services.port}` }, telemetry, { transport }));
  const upstream = clients.get("all") ?? assert.fail();
  const gateway: TestGateway = stack.use(await openGateway(plumbline, { upstream, settings, telemetry, trustProxy }));
  return { gateway, services, clients, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("over gRPC", () => {
  test("an order is placed, read, watched, and its label fetched", async () => {
    await using stack = await open({
      async *watchOrder(id, after) {
        for (const version of [1n, 2n, 3n]) if (version > after) yield orderOf({ id, version });
      },
    });
    const { gateway } = stack;
    const body = JSON.stringify({ customerId: "c", items: [{ sku: "tea", quantity: 2 }] });
    const placed = await gateway.fetch("/v1/orders", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    assert.deepEqual(((await placed.json()) as { items: unknown }).items, [{ sku: "tea", quantity: 2 }]);
    assert.equal(((await (await gateway.fetch("/v1/orders/7")).json()) as { id: string }).id, "7");
    const label = await gateway.fetch("/v1/orders/7/label");
    assert.equal(label.headers.get("content-type"), "image/png");
    assert.equal(label.headers.get("content-security-policy"), "sandbox");
    assert.equal(placed.headers.get("content-security-policy"), null);
    assert.deepEqual([...new Uint8Array(await label.arrayBuffer())], [0x89, 0x50]);
    const events = await allEvents(await gateway.fetch("/v1/orders/7:watch", { headers: { "last-event-id": "1" } }));
    assert.deepEqual(
      events.flatMap(({ id }) => id ?? []),
      ["2", "3"],
    );
  });

  test("a failure keeps its code, reason, violations and time to retry", async () => {
    await using stack = await open({
      getOrder: async () => {
        throw new ServiceError("failed_precondition", "it is fulfilled", {
          reason: "ORDER_ALREADY_FULFILLED",
          violations: [{ field: "order_id", description: "fulfilled" }],
          retryAfterMs: 3000,
        });
      },
    });
    const response = await stack.gateway.fetch("/v1/orders/7");
    assert.equal(response.status, 409);
    assert.equal(response.headers.get("retry-after"), "3");
    const { detail, code, reason, violations } = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(
      { detail, code, reason, violations },
      {
        detail: "it is fulfilled",
        code: "failed_precondition",
        reason: "ORDER_ALREADY_FULFILLED",
        violations: [{ field: "orderId", description: "fulfilled" }],
      },
    );
  });

  test("the caller's deadline, request id and idempotency key reach the handler", async () => {
    const seen: Record<string, unknown> = {};
    await using stack = await open({
      getOrder: async (id, { signal, metadata }) => {
        seen["id"] = metadata.get("x-request-id");
        seen["key"] = metadata.get("idempotency-key");
        seen["leftMs"] = (deadlineOf(signal) ?? Number.NaN) - steadyNow();
        return orderOf({ id });
      },
    });
    await stack.gateway.fetch("/v1/orders/7", {
      headers: { "x-request-id": "r-7", "idempotency-key": "k-7", "grpc-timeout": "2S" },
    });
    assert.deepEqual([seen["id"], seen["key"]], ["r-7", "k-7"]);
    assert.ok(Number(seen["leftMs"]) > 500 && Number(seen["leftMs"]) <= 2100, String(seen["leftMs"]));
  });

  for (const transport of transportNames)
    test(`the client behind a trusted proxy has its own share at the handler, over ${transport}`, async () => {
      const seen: string[] = [];
      const orders: Behaviour = {
        getOrder: async (id, { shareKey }) => {
          seen.push(shareKey);
          return orderOf({ id });
        },
        async *watchOrder(id, _after, { shareKey }) {
          seen.push(shareKey);
          yield orderOf({ id });
        },
      };
      await using stack = await open(orders, {}, noTelemetry, { transport, trustProxy: 1 });
      const headers = { "x-forwarded-for": "192.0.2.7, 2001:db8:1:2:3::4", [shareKeyName]: "192.0.2.8" };
      await stack.gateway.fetch("/v1/orders/7", { headers });
      await (await stack.gateway.fetch("/v1/orders/7:watch", { headers })).text();
      assert.deepEqual(seen, ["2001:db8:1:2::/64", "2001:db8:1:2::/64"]);
    });

  for (const transport of transportNames) {
    test(`streams that take all places of their connection take none of calls (${transport})`, async () => {
      await using stack = await open({ transport, maxConcurrentStreams: 5 }, {}, noTelemetry, { transport });
      const client = new AbortController();
      const watch = () => stack.gateway.fetch("/v1/orders/7:watch", { signal: client.signal });
      const streams = [];
      for (let i = 0; i < 5; i++) streams.push(await watch());
      assert.deepEqual([...new Set(streams.map(({ status }) => status))], [200]);
      const { status } = await stack.gateway.fetch("/v1/orders/7", { headers: { "grpc-timeout": "60S" } });
      assert.equal(status, 200);
      const refused = await watch();
      assert.equal(refused.status, 503);
      assert.equal(refused.headers.get("retry-after"), "1");
      client.abort();
    });
  }

  test("a client that disconnects aborts the handler's signal", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<AbortSignal>();
    await using stack = await open({
      getOrder: async (id, { signal }) => {
        start(signal);
        await aborted(signal);
        return orderOf({ id });
      },
    });
    const client = new AbortController();
    const answer = stack.gateway.fetch("/v1/orders/7", { signal: client.signal }).catch(() => "disconnected");
    const signal = await started;
    assert.equal(signal.aborted, false);
    client.abort();
    await aborted(signal);
    assert.equal(await answer, "disconnected");
  });

  test("a client that disconnects from a stream aborts the handler's signal", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<AbortSignal>();
    await using stack = await open({
      async *watchOrder(id, _after, { signal }) {
        start(signal);
        yield orderOf({ id });
        await aborted(signal);
      },
    });
    const client = new AbortController();
    const events = readEvents(await stack.gateway.fetch("/v1/orders/7:watch", { signal: client.signal }));
    await events.next();
    await events.next();
    client.abort();
    await aborted(await started);
  });

  test("a slow service is answered with 504 in time, and its handler's signal aborts", async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    await using stack = await open({
      getOrder: async (id, { signal }) => {
        await aborted(signal);
        resolve();
        return orderOf({ id });
      },
    });
    const response = await stack.gateway.fetch("/v1/orders/7", { headers: { "grpc-timeout": "100m" } });
    assert.equal(response.status, 504);
    assert.equal(((await response.json()) as { code: string }).code, "deadline_exceeded");
    await gone;
  });

  test("a service that is down is answered with 503 without addresses, and with 200 once it is up", async () => {
    await using stack = await open();
    const { gateway, services } = stack;
    assert.equal((await gateway.fetch("/v1/orders/7")).status, 200);
    await services.drain();
    const response = await gateway.fetch("/v1/orders/7");
    const text = await response.text();
    assert.equal(response.status, 503);
    assert.equal((JSON.parse(text) as { code: string }).code, "unavailable");
    assert.doesNotMatch(text, /127\.0\.0\.1|ECONN|\d{4,}:/);
    await using _back = await serveServices({}, noTelemetry, services.port);
    const end = performance.now() + 15_000;
    while ((await gateway.fetch("/v1/orders/7")).status !== 200)
      assert.ok(performance.now() < end, "it was not reached again");
  });

  test("a stream whose service restarts ends with an error event and asks its client to reconnect", async () => {
    await using stack = await open();
    const { gateway, services } = stack;
    const events = readEvents(await gateway.fetch("/v1/orders/7:watch"));
    for (let i = 0; i < 2; i++) await events.next();
    await services.drain();
    const rest = await Array.fromAsync(events);
    assert.deepEqual(
      rest.map(({ event, retry }) => (retry === undefined ? event : "retry")),
      ["error", "retry"],
    );
  });

  test("the readiness checks resolve once each service was reached", async () => {
    await using stack = await open();
    const { checks } = stack.clients;
    assert.deepEqual(Object.keys(checks), ["all"]);
    await checks["all"]?.({ signal: AbortSignal.timeout(5000) });
  });
});
