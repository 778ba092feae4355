/** The service through its API, over any store: events in, events and labels out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { createMessage, type Handler } from "@plumbline/messaging";
import { cancelledMessage, newOrderId, placedMessage } from "./builders.ts";
import { eventually } from "./eventually.ts";
import { readBarcode } from "./read-barcode.ts";
import { type OpenStore, openWorld, type World } from "./world.ts";

const labelCode = (world: World, orderId: string) => world.client.getLabel({ orderId }).then(() => "ok", codeOf);
const askedFor = (world: World, sku: string) =>
  world.quotes.filter((event) => event.sku === sku && event.step === "asked").length;

export function serviceSuite(store: string, openStore: OpenStore): void {
  describe(`over ${store}`, () => {
    test("a placed order is fulfilled for what the suppliers ask, and its label carries its id", async () => {
      await using world = await openWorld(openStore);
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId, { tea: 2, cups: 1 }));
      const answer = await world.answer(orderId);
      assert.equal(answer.type, "fulfilment.v1.OrderFulfilled");
      const { total } = OrderFulfilled.decode(answer.data);
      assert.deepEqual(total, { currencyCode: "EUR", minorUnits: 2_899n });
      const label = await world.client.getLabel({ orderId });
      assert.equal(label.contentType, "image/png");
      assert.equal(readBarcode(label.data, 160), orderId);
    });

    for (const { name, items, reason } of [
      { name: "what is out of stock", items: { tea: 1, unicorn: 1 }, reason: "out of stock: unicorn" },
      { name: "more than there is", items: { teapot: 4 }, reason: "out of stock: teapot" },
      { name: "what nobody sells", items: { socks: 1 }, reason: "not sold here: socks" },
      { name: "two currencies", items: { tea: 1, matcha: 1 }, reason: "priced in several currencies: EUR, JPY" },
    ]) {
      test(`an order of ${name} is rejected with a reason, and has no label`, async () => {
        await using world = await openWorld(openStore);
        const orderId = newOrderId();
        await world.publish(placedMessage(orderId, items));
        const answer = await world.answer(orderId);
        assert.equal(answer.type, "fulfilment.v1.OrderRejected");
        assert.equal(OrderRejected.decode(answer.data).reason, reason);
        assert.equal(await labelCode(world, orderId), "not_found");
      });
    }

    test("there is no label of an order nobody placed, or of what is no order's id", async () => {
      await using world = await openWorld(openStore);
      for (const orderId of [newOrderId(), "", "tea", "' or 1=1 --", "x".repeat(10_000)]) {
        assert.equal(await labelCode(world, orderId), "not_found");
      }
    });

    test("a message delivered again and again has one effect, and asks the suppliers once", async () => {
      await using world = await openWorld(openStore);
      const orderId = newOrderId();
      const message = placedMessage(orderId);
      // The cancel comes last of this key: when it has its effect, all before it were handled.
      await world.publish(message, message, message, cancelledMessage(orderId));
      await eventually(
        () => labelCode(world, orderId),
        (code) => code === "not_found" && world.answersOf(orderId).length > 0,
      );
      assert.equal(world.answersOf(orderId).length, 1);
      assert.equal(askedFor(world, "tea"), 1);
    });

    test("two messages that place the same order have one effect", async () => {
      await using world = await openWorld(openStore);
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId), placedMessage(orderId), cancelledMessage(orderId));
      await world.answer(orderId);
      await eventually(
        () => labelCode(world, orderId),
        (code) => code === "not_found",
      );
      assert.equal(world.answersOf(orderId).length, 1);
    });

    test("a handler that dies after its commit and before the acknowledgement has one effect", async () => {
      let calls = 0;
      const around =
        (next: Handler): Handler =>
        async (delivery) => {
          await next(delivery);
          if (++calls <= 3) throw new Error("died before the acknowledgement");
        };
      await using world = await openWorld(openStore, { around });
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId));
      await eventually(
        () => calls,
        (count) => count === 4,
      );
      await world.answer(orderId);
      assert.equal(world.answersOf(orderId).length, 1);
      assert.equal(askedFor(world, "tea"), 1);
    });

    test("a supplier that fails has the order tried again until it answers", async () => {
      await using world = await openWorld(openStore);
      world.supplier.change({ failing: ["cups"] });
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId, { tea: 1, cups: 1 }));
      await eventually(
        () => askedFor(world, "cups"),
        (count) => count >= 3,
      );
      assert.deepEqual(world.answersOf(orderId), []);
      assert.equal(await labelCode(world, orderId), "not_found");
      world.supplier.change({ failing: [] });
      assert.equal((await world.answer(orderId)).type, "fulfilment.v1.OrderFulfilled");
    });

    test("a failing supplier holds up its own orders only", async () => {
      await using world = await openWorld(openStore, { concurrency: 4 });
      world.supplier.change({ failing: ["cups"] });
      const [stuck, other] = [newOrderId(), newOrderId()];
      await world.publish(placedMessage(stuck, { cups: 1 }), placedMessage(other, { tea: 1 }));
      assert.equal((await world.answer(other)).type, "fulfilment.v1.OrderFulfilled");
      assert.deepEqual(world.answersOf(stuck), []);
      world.supplier.change({ failing: [] });
      await world.answer(stuck);
    });

    test("an order given up in place is tried later, and fulfilled then", async () => {
      await using world = await openWorld(openStore, { attempts: 2, retryDelaysMs: [20, 40, 60_000] });
      world.supplier.change({ failing: ["tea"] });
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId));
      await eventually(
        () => askedFor(world, "tea"),
        (count) => count >= 3,
      );
      world.supplier.change({ failing: [] });
      assert.equal((await world.answer(orderId)).type, "fulfilment.v1.OrderFulfilled");
    });

    test("an order whose suppliers fail for good is dead-lettered and nothing is said of it", async () => {
      await using world = await openWorld(openStore, { attempts: 3 });
      world.supplier.change({ failureRate: 1 });
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId));
      await eventually(
        () => world.dead.length,
        (count) => count === 1,
      );
      assert.equal(world.dead[0]?.key, orderId);
      assert.equal(askedFor(world, "tea"), 3);
      assert.deepEqual(world.answersOf(orderId), []);
    });

    test("cancelling a fulfilled order withholds its label", async () => {
      await using world = await openWorld(openStore);
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId));
      await world.answer(orderId);
      assert.equal(await labelCode(world, orderId), "ok");
      await world.publish(cancelledMessage(orderId));
      await eventually(
        () => labelCode(world, orderId),
        (code) => code === "not_found",
      );
    });

    test("an order cancelled before it comes is not fulfilled: no supplier is asked and nothing is said", async () => {
      let handled = 0;
      const around =
        (next: Handler): Handler =>
        async (delivery) => {
          await next(delivery);
          handled++;
        };
      await using world = await openWorld(openStore, { around });
      const [orderId, other] = [newOrderId(), newOrderId()];
      await world.publish(cancelledMessage(orderId), placedMessage(orderId));
      await eventually(
        () => handled,
        (count) => count === 2,
      );
      await world.publish(placedMessage(other, { cups: 1 }));
      await world.answer(other);
      assert.deepEqual(world.answersOf(orderId), []);
      assert.equal(askedFor(world, "tea"), 0);
      assert.equal(await labelCode(world, orderId), "not_found");
    });

    test("an order that is cancelled while it waits for its retry is withheld when that comes", async () => {
      const seen: string[] = [];
      const around =
        (next: Handler): Handler =>
        async (delivery) => {
          await next(delivery);
          seen.push(delivery.message.type);
        };
      await using world = await openWorld(openStore, { attempts: 1, retryDelaysMs: [300], around });
      world.supplier.change({ failing: ["tea"] });
      const orderId = newOrderId();
      await world.publish(placedMessage(orderId), cancelledMessage(orderId));
      await eventually(
        () => seen.length,
        (count) => count === 2,
      );
      assert.deepEqual(seen, ["orders.v1.OrderCancelled", "orders.v1.OrderPlaced"]);
      assert.deepEqual(world.answersOf(orderId), []);
      assert.deepEqual(world.dead, []);
    });

    test("what cannot be an order is dead-lettered at once, and the next of its key is handled", async () => {
      await using world = await openWorld(openStore);
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
      await world.publish(...bad, good);
      await world.answer(orderId);
      assert.deepEqual(world.dead.map(({ id }) => id).sort(), bad.map(({ id }) => id).sort());
    });

    test("events of types it does not know are none of its business", async () => {
      await using world = await openWorld(openStore);
      const orderId = newOrderId();
      const envelope = { source: "/plumbline/orders", key: orderId, contentType: "application/protobuf" };
      const unknown = ["orders.v1.OrderPraised", "toString"].map((type) =>
        createMessage({ ...envelope, type, data: new Uint8Array([255]) }),
      );
      await world.publish(...unknown, placedMessage(orderId));
      await world.answer(orderId);
      assert.deepEqual(world.dead, []);
    });

    test("two hundred orders, some of which cannot be supplied, end once each", async () => {
      await using world = await openWorld(openStore, { concurrency: 16 });
      world.supplier.change({ jitterMs: 5, failureRate: 0.1 });
      const orders = Array.from({ length: 200 }, (_, index) => ({ id: newOrderId(), lacks: index % 7 === 6 }));
      await world.publish(...orders.map(({ id, lacks }) => placedMessage(id, lacks ? { unicorn: 1 } : { tea: 1 })));
      for (const { id, lacks } of orders) {
        const want = lacks ? "fulfilment.v1.OrderRejected" : "fulfilment.v1.OrderFulfilled";
        assert.equal((await world.answer(id)).type, want);
      }
      assert.ok(orders.every(({ id }) => world.answersOf(id).length === 1));
      assert.deepEqual(world.dead, []);
    });
  });
}
