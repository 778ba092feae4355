import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, eventually, post, readEvents } from "../src/http.ts";
import type { Span } from "../src/otlp/messages.ts";
import { outline, withoutTransport } from "../src/otlp/outline.ts";
import { embeddedTier, givenTier, type Tier } from "../src/tier.ts";
import { transports } from "../src/transports.ts";

const given = givenTier();
/** The stacks and transports. Neither must be visible in a trace. */
const embedded = [
  { entry: "source", transport: transports[0] },
  { entry: "bundle", transport: transports.at(-1) },
] as const;
const tiers = given
  ? [{ name: "the given system", open: given }]
  : embedded.map(({ entry, transport }) => ({
      name: `the ${entry}, with calls over ${transport}`,
      open: () => embeddedTier(entry, transport),
    }));

/** The trace of a watched order that is fulfilled at the first attempt. */
const fulfilledAtOnce = `
gateway server POST /v1/orders
  gateway client orders.v1.OrdersService/PlaceOrder
    orders server orders.v1.OrdersService/PlaceOrder
      orders client postgres COMMIT
      orders client postgres count_pending_of_client
      orders client postgres insert_order
      orders client postgres outbox_append
      orders producer publish orders.events
      worker consumer process orders.events
        orders consumer process fulfilment.events
          orders client postgres change_orders
          orders client postgres read_orders
          orders internal tell watchers
        worker client postgres settle_orders
        worker client postgres status_of_orders
        worker internal ask suppliers
          worker client GET /v1/quotes/{sku}
          worker client GET /v1/quotes/{sku}
        worker internal draw label
        worker producer publish fulfilment.events`.trim();

/** The trace of an order whose supplier fails once; it is fulfilled from the retry topic. */
const fulfilledLater = `
gateway server POST /v1/orders
  gateway client orders.v1.OrdersService/PlaceOrder
    orders server orders.v1.OrdersService/PlaceOrder
      orders client postgres COMMIT
      orders client postgres count_pending_of_client
      orders client postgres insert_order
      orders client postgres outbox_append
      orders producer publish orders.events
      worker consumer process orders.events
        worker client postgres status_of_orders
        worker internal ask suppliers failed
          worker client GET /v1/quotes/{sku} failed
        worker producer publish orders.events.worker.retry.2s
          worker consumer process orders.events.worker.retry.2s
            orders consumer process fulfilment.events
              orders client postgres change_orders
              orders client postgres read_orders
            worker client postgres settle_orders
            worker client postgres status_of_orders
            worker internal ask suppliers
              worker client GET /v1/quotes/{sku}
            worker internal draw label
            worker producer publish fulfilment.events`.trim();

/** The trace of an order whose supplier fails each time. */
const deadLettered = `
gateway server POST /v1/orders
  gateway client orders.v1.OrdersService/PlaceOrder
    orders server orders.v1.OrdersService/PlaceOrder
      orders client postgres COMMIT
      orders client postgres count_pending_of_client
      orders client postgres insert_order
      orders client postgres outbox_append
      orders producer publish orders.events
      worker consumer process orders.events
        worker client postgres status_of_orders
        worker internal ask suppliers failed
          worker client GET /v1/quotes/{sku} failed
        worker producer publish orders.events.worker.retry.2s
          worker consumer process orders.events.worker.retry.2s
            worker client postgres status_of_orders
            worker internal ask suppliers failed
              worker client GET /v1/quotes/{sku} failed
            worker producer publish orders.events.worker.dead`.trim();

const watched = `
gateway server GET /v1/orders/{order_id}:watch
  gateway client orders.v1.OrdersService/WatchOrder
    orders server orders.v1.OrdersService/WatchOrder
      orders client postgres find_order
      orders client postgres find_order`.trim();

for (const { name, open } of tiers) {
  describe(name, () => {
    let tier: Tier;
    before(async () => {
      tier = await open();
    });
    after(() => tier?.[Symbol.asyncDispose]());

    /** Returns the span of a caller's request: a root that links to the caller's span. */
    const requestOf = (caller: Caller) =>
      eventually(
        async () => tier.receiver.spans.find(({ links }) => links.some(({ spanId }) => spanId === caller.spanId)),
        (span) => span !== undefined,
      ).then((span) => span ?? assert.fail());
    const spansOf = (traceId: string) => tier.receiver.spans.filter((span) => span.traceId === traceId);
    /** Waits until a trace has the expected outline, and shows the difference if it never has. */
    const looksLike = async (traceId: string, wanted: string): Promise<Span[]> => {
      const seen = () => outline(withoutTransport(spansOf(traceId)));
      await eventually(
        async () => seen(),
        (text) => text === wanted,
      ).catch(() => assert.equal(seen(), wanted));
      return spansOf(traceId);
    };
    const place = async (skus: readonly string[]) => {
      const caller = newCaller();
      const items = skus.map((sku) => ({ sku, quantity: 1 }));
      const { status, json } = await post(`${tier.base}/v1/orders`, { customerId: "tracer", items }, caller.headers);
      assert.equal(status, 200);
      const { traceId } = await requestOf(caller);
      assert.notEqual(traceId, caller.traceId);
      return { traceId, url: `${tier.base}/v1/orders/${json["id"]}` };
    };
    const setSupplier = async (settings: object) => {
      const { status } = await call(`${tier.supplier}/v1/settings`, {
        method: "PATCH",
        body: JSON.stringify(settings),
      });
      assert.equal(status, 200);
    };

    const retriedLater = async () => {
      const { text } = await call(`${tier.ops.worker}/metrics`);
      return Number(/^message_retried_later_total\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0);
    };

    test("an order is one trace from the request to the watcher's last line", async () => {
      // Slow enough that the watcher has its first line before the order is settled.
      await setSupplier({ latencyMs: 2_000, failing: [] });
      const order = await place(["tea", "coffee"]);
      const watcher = newCaller();
      const lines = await readEvents(`${order.url}:watch`, watcher.headers);
      await setSupplier({ latencyMs: 0 });
      assert.deepEqual(
        lines.map(({ id }) => id),
        ["1", "2"],
      );

      const spans = await looksLike(order.traceId, fulfilledAtOnce);
      const { traceId: watching } = await requestOf(watcher);
      const stream = await looksLike(watching, watched);
      const named = (spanName: string, among = spans) => among.filter((span) => span.name === spanName);
      assert.equal(named("POST /v1/orders")[0]?.parentSpanId, "", "a client's span is no parent");

      // A batch links to the spans that created its messages: the call that placed the order, the
      // handler.
      const [toWorker] = named("publish orders.events");
      const server = named("orders.v1.OrdersService/PlaceOrder").find(({ kind }) => kind === "server");
      assert.deepEqual(toWorker?.links, [{ traceId: order.traceId, spanId: server?.spanId }]);
      const [back] = named("publish fulfilment.events");
      assert.deepEqual(back?.links, [{ traceId: order.traceId, spanId: named("process orders.events")[0]?.spanId }]);

      // The last line was sent by another request; the order's trace links to it.
      const watch = named("orders.v1.OrdersService/WatchOrder", stream).find(({ kind }) => kind === "server");
      assert.deepEqual(named("tell watchers")[0]?.links, [{ traceId: watching, spanId: watch?.spanId }]);
      assert.deepEqual(
        named("GET /v1/orders/{order_id}:watch", stream)[0]?.events.map(
          (event) => event.attributes["stream.message.id"],
        ),
        ["1", "2"],
      );

      for (const quote of named("GET /v1/quotes/{sku}"))
        assert.equal(quote.attributes["http.response.status_code"], 200);
    });

    test("an order whose supplier fails once is fulfilled from the retry topic, in the same trace", async (t) => {
      if (!tier.retriesSoon)
        return t.skip("NOT RUN: needs a retry after 2 s, which the embedded stack has: unset E2E_BASE_URL");
      await setSupplier({ failing: ["cups"] });
      const before = await retriedLater();
      const order = await place(["cups"]);
      // The supplier is repaired after the first delivery has failed.
      await eventually(retriedLater, (count) => count > before);
      await setSupplier({ failing: [] });
      const spans = await looksLike(order.traceId, fulfilledLater);
      const retry = spans.find(({ name }) => name === "publish orders.events.worker.retry.2s");
      assert.equal(retry?.attributes["plumbline.error_code"], "unavailable");
      assert.equal(retry?.attributes["plumbline.attempts"], 1);
    });

    test("an order whose supplier keeps failing ends in the dead letters, in the same trace", async (t) => {
      if (!tier.retriesSoon)
        return t.skip("NOT RUN: needs a retry after 2 s, which the embedded stack has: unset E2E_BASE_URL");
      await setSupplier({ failing: ["kettle"] });
      const order = await place(["kettle"]);
      const spans = await looksLike(order.traceId, deadLettered);
      const dead = spans.find(({ name }) => name === "publish orders.events.worker.dead");
      assert.equal(dead?.attributes["plumbline.attempts"], 2);
    });
  });
}

interface Caller {
  readonly traceId: string;
  readonly spanId: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A caller with a trace of its own, like a traced browser. */
function newCaller(): Caller {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-01`, tracestate: "evil=1" } };
}
