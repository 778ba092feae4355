/** The service through its API, over any store: events in, events and labels out. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { encodePrincipal, principalName } from "@plumbline/auth";
import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import { codeOf, type ServiceError } from "@plumbline/errors";
import { createMessage, type Handler } from "@plumbline/messaging";
import { eventually } from "@plumbline/tools-engines";
import { cancelledMessage, newOrderId, placedMessage } from "./builders.ts";
import { readBarcode } from "./read-barcode.ts";
import { type OpenStore, openTestContext, type TestContext } from "./test-context.ts";

const labelCode = (context: TestContext, orderId: string) =>
  context.client.getLabel({ orderId }).then(() => "ok", codeOf);
const askedFor = (context: TestContext, sku: string) =>
  context.quotes.filter((event) => event.sku === sku && event.step === "asked").length;

export function serviceSuite(store: string, openStore: OpenStore): void {
  describe(`over ${store}`, () => {
    test("a placed order is fulfilled for the suppliers' prices, and its label shows its id", async () => {
      await using context = await openTestContext(openStore);
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId, { tea: 2, cups: 1 }));
      const answer = await context.answer(orderId);
      assert.equal(answer.type, "fulfilment.v1.OrderFulfilled");
      const { total } = OrderFulfilled.decode(answer.data);
      assert.deepEqual(total, { currencyCode: "EUR", minorUnits: 2_899n });
      const label = await context.client.getLabel({ orderId });
      assert.equal(label.contentType, "image/png");
      assert.equal(readBarcode(label.data, 160), orderId);
    });

    test("a label is for the customer of its order and for operators; for others there is none (negatives 4, 9)", async () => {
      await using context = await openTestContext(openStore, { principalPeers: "loopback" });
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId));
      await context.answer(orderId);
      const labelFor = (subject: string, ...scopes: string[]) => {
        const times = { issuedMs: Date.now(), expiresMs: Date.now() + 600_000 };
        const principal = encodePrincipal({ subject, client: "cli", scopes, ...times });
        const call = (id: string) =>
          context.client.getLabel({ orderId: id }, { metadata: { [principalName]: principal } });
        return { own: call(orderId).then(() => "ok", failure), missing: call(newOrderId()).then(() => "ok", failure) };
      };
      const failure = ({ code, reason, message }: ServiceError) => ({ code, reason, message });
      assert.equal(await labelFor("customer-1", "orders:read").own, "ok");
      assert.equal(await labelFor("operator", "orders:read", "orders:operate").own, "ok");
      const other = labelFor("customer-2", "orders:read");
      assert.deepEqual(await other.own, await other.missing);
      assert.deepEqual(((await other.own) as ServiceError).reason, "LABEL_NOT_FOUND");
      assert.deepEqual(((await labelFor("customer-1").own) as ServiceError).reason, "INSUFFICIENT_SCOPE");
    });

    for (const { name, items, reason } of [
      { name: "an item out of stock", items: { tea: 1, unicorn: 1 }, reason: "out of stock: unicorn" },
      { name: "more than the stock", items: { teapot: 4 }, reason: "out of stock: teapot" },
      { name: "an unknown item", items: { socks: 1 }, reason: "not sold here: socks" },
      { name: "two currencies", items: { tea: 1, matcha: 1 }, reason: "priced in several currencies: EUR, JPY" },
    ]) {
      test(`an order of ${name} is rejected with a reason, and has no label (negative 33)`, async () => {
        await using context = await openTestContext(openStore);
        const orderId = newOrderId();
        await context.publish(placedMessage(orderId, items));
        const answer = await context.answer(orderId);
        assert.equal(answer.type, "fulfilment.v1.OrderRejected");
        assert.equal(OrderRejected.decode(answer.data).reason, reason);
        assert.equal(await labelCode(context, orderId), "not_found");
      });
    }

    test("there is no label for an order that was never placed, or for text that is no order id", async () => {
      await using context = await openTestContext(openStore);
      for (const orderId of [newOrderId(), "", "tea", "' or 1=1 --", "x".repeat(10_000)]) {
        assert.equal(await labelCode(context, orderId), "not_found");
      }
    });

    test("a message that is delivered repeatedly has one effect, and asks the suppliers once", async () => {
      await using context = await openTestContext(openStore);
      const orderId = newOrderId();
      const message = placedMessage(orderId);
      // The cancel is the last of this key, so its effect means that all before it were handled.
      await context.publish(message, message, message, cancelledMessage(orderId));
      await eventually(
        () => labelCode(context, orderId),
        (code) => code === "not_found" && context.answersOf(orderId).length > 0,
      );
      assert.equal(context.answersOf(orderId).length, 1);
      assert.equal(askedFor(context, "tea"), 1);
    });

    test("two messages that place the same order have one effect", async () => {
      await using context = await openTestContext(openStore);
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId), placedMessage(orderId), cancelledMessage(orderId));
      await context.answer(orderId);
      await eventually(
        () => labelCode(context, orderId),
        (code) => code === "not_found",
      );
      assert.equal(context.answersOf(orderId).length, 1);
    });

    test("a handler that dies after its commit and before the acknowledgement has one effect", async () => {
      let calls = 0;
      const around =
        (next: Handler): Handler =>
        async (delivery) => {
          await next(delivery);
          if (++calls <= 3) throw new Error("died before the acknowledgement");
        };
      await using context = await openTestContext(openStore, { around });
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId));
      await eventually(
        () => calls,
        (count) => count === 4,
      );
      await context.answer(orderId);
      assert.equal(context.answersOf(orderId).length, 1);
      assert.equal(askedFor(context, "tea"), 1);
    });

    test("while a supplier fails, the order is retried until it answers", async () => {
      await using context = await openTestContext(openStore);
      context.supplier.change({ failing: ["cups"] });
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId, { tea: 1, cups: 1 }));
      await eventually(
        () => askedFor(context, "cups"),
        (count) => count >= 3,
      );
      assert.deepEqual(context.answersOf(orderId), []);
      assert.equal(await labelCode(context, orderId), "not_found");
      context.supplier.change({ failing: [] });
      assert.equal((await context.answer(orderId)).type, "fulfilment.v1.OrderFulfilled");
    });

    test("a failing supplier delays only its own orders", async () => {
      await using context = await openTestContext(openStore, { concurrency: 4 });
      context.supplier.change({ failing: ["cups"] });
      const [stuck, other] = [newOrderId(), newOrderId()];
      await context.publish(placedMessage(stuck, { cups: 1 }), placedMessage(other, { tea: 1 }));
      assert.equal((await context.answer(other)).type, "fulfilment.v1.OrderFulfilled");
      assert.deepEqual(context.answersOf(stuck), []);
      context.supplier.change({ failing: [] });
      await context.answer(stuck);
    });

    test("an order whose attempts in place failed is retried later and fulfilled", async () => {
      await using context = await openTestContext(openStore, { attempts: 2, retryDelaysMs: [20, 40, 60_000] });
      context.supplier.change({ failing: ["tea"] });
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId));
      await eventually(
        () => askedFor(context, "tea"),
        (count) => count >= 3,
      );
      context.supplier.change({ failing: [] });
      assert.equal((await context.answer(orderId)).type, "fulfilment.v1.OrderFulfilled");
    });

    test("an order whose suppliers keep failing is dead-lettered, and nothing is published", async () => {
      await using context = await openTestContext(openStore, { attempts: 3 });
      context.supplier.change({ failureRate: 1 });
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId));
      await eventually(
        () => context.dead.length,
        (count) => count === 1,
      );
      assert.equal(context.dead[0]?.key, orderId);
      assert.equal(askedFor(context, "tea"), 3);
      assert.deepEqual(context.answersOf(orderId), []);
    });

    test("cancelling a fulfilled order withholds its label", async () => {
      await using context = await openTestContext(openStore);
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId));
      await context.answer(orderId);
      assert.equal(await labelCode(context, orderId), "ok");
      await context.publish(cancelledMessage(orderId));
      await eventually(
        () => labelCode(context, orderId),
        (code) => code === "not_found",
      );
    });

    test("for an order that is cancelled before it arrives, no supplier is asked and nothing is published", async () => {
      let handled = 0;
      const around =
        (next: Handler): Handler =>
        async (delivery) => {
          await next(delivery);
          handled++;
        };
      await using context = await openTestContext(openStore, { around });
      const [orderId, other] = [newOrderId(), newOrderId()];
      await context.publish(cancelledMessage(orderId), placedMessage(orderId));
      await eventually(
        () => handled,
        (count) => count === 2,
      );
      await context.publish(placedMessage(other, { cups: 1 }));
      await context.answer(other);
      assert.deepEqual(context.answersOf(orderId), []);
      assert.equal(askedFor(context, "tea"), 0);
      assert.equal(await labelCode(context, orderId), "not_found");
    });

    test("an order that is cancelled while it waits for its retry is withheld", async () => {
      const seen: string[] = [];
      const around =
        (next: Handler): Handler =>
        async (delivery) => {
          await next(delivery);
          seen.push(delivery.message.type);
        };
      await using context = await openTestContext(openStore, { attempts: 1, retryDelaysMs: [300], around });
      context.supplier.change({ failing: ["tea"] });
      const orderId = newOrderId();
      await context.publish(placedMessage(orderId), cancelledMessage(orderId));
      await eventually(
        () => seen.length,
        (count) => count === 2,
      );
      assert.deepEqual(seen, ["orders.v1.OrderCancelled", "orders.v1.OrderPlaced"]);
      assert.deepEqual(context.answersOf(orderId), []);
      assert.deepEqual(context.dead, []);
    });

    test("an invalid event is dead-lettered at once, and the next one of its key is handled", async () => {
      await using context = await openTestContext(openStore);
      const orderId = newOrderId();
      const good = placedMessage(orderId);
      const bad = [
        { ...placedMessage(orderId), data: new Uint8Array([255, 255, 255]) },
        { ...placedMessage("not-an-id"), key: orderId },
        placedMessage(orderId, {}),
        placedMessage(orderId, { "Not A Sku": 1 }),
        placedMessage(orderId, { tea: 0 }),
        placedMessage(orderId, { tea: 1_001 }),
        placedMessage(orderId, Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`sku-${index}`, 1]))),
      ];
      await context.publish(...bad, good);
      await context.answer(orderId);
      assert.deepEqual(context.dead.map(({ id }) => id).sort(), bad.map(({ id }) => id).sort());
    });

    test("an event of another source is dead-lettered without effect", async () => {
      await using context = await openTestContext(openStore);
      const [forged, orderId] = [newOrderId(), newOrderId()];
      const strange = { ...placedMessage(forged), source: "/plumbline/worker" };
      await context.publish(strange, placedMessage(orderId));
      await context.answer(orderId);
      await eventually(
        () => context.dead.length,
        (count) => count === 1,
      );
      assert.equal(context.dead[0]?.id, strange.id);
      assert.deepEqual(context.answersOf(forged), []);
    });

    test("events of unknown types become dead letters without effect", async () => {
      await using context = await openTestContext(openStore);
      const orderId = newOrderId();
      const envelope = { source: "/plumbline/orders", key: orderId, contentType: "application/protobuf" };
      const unknown = ["orders.v1.OrderPraised", "toString"].map((type) =>
        createMessage({ ...envelope, type, data: new Uint8Array([255]) }),
      );
      await context.publish(...unknown, placedMessage(orderId));
      await context.answer(orderId);
      await eventually(
        () => context.dead.map(({ id }) => id).toSorted(),
        (ids) => isDeepStrictEqual(ids, unknown.map(({ id }) => id).toSorted()),
      );
    });

    test("two hundred orders, some of them rejected, end once each", async () => {
      await using context = await openTestContext(openStore, { concurrency: 16 });
      context.supplier.change({ jitterMs: 5, failureRate: 0.1 });
      const orders = Array.from({ length: 200 }, (_, index) => ({ id: newOrderId(), lacks: index % 7 === 6 }));
      await context.publish(...orders.map(({ id, lacks }) => placedMessage(id, lacks ? { unicorn: 1 } : { tea: 1 })));
      for (const { id, lacks } of orders) {
        const want = lacks ? "fulfilment.v1.OrderRejected" : "fulfilment.v1.OrderFulfilled";
        assert.equal((await context.answer(id)).type, want);
      }
      assert.ok(orders.every(({ id }) => context.answersOf(id).length === 1));
      assert.deepEqual(context.dead, []);
    });
  });
}
