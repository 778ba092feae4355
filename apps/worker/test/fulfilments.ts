/** The contract of Fulfilments, which every adapter passes. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import type { Message } from "@plumbline/messaging";
import type { Fulfilments } from "../src/use-cases/ports.ts";
import { fulfilled, fulfilmentOf, newMessageId, newOrderId, rejected } from "./builders.ts";

export interface TestContext extends AsyncDisposable {
  readonly fulfilments: Fulfilments;
  /** Returns the events that were recorded for other services so far, in order. */
  announced(): Promise<readonly Message[]>;
}

export function fulfilmentsContract(adapter: string, open: () => Promise<TestContext>): void {
  describe(adapter, () => {
    let context: TestContext;
    before(async () => {
      context = await open();
    });
    after(() => context?.[Symbol.asyncDispose]());

    const announcedOf = async (orderId: string) => (await context.announced()).filter(({ key }) => key === orderId);
    const typesOf = async (orderId: string) => (await announcedOf(orderId)).map(({ type }) => type);

    test("an unknown order is open and has no label", async () => {
      const orderId = newOrderId();
      assert.equal(await context.fulfilments.statusOf(orderId), "open");
      assert.equal(await context.fulfilments.label(orderId), undefined);
    });

    test("a fulfilled order is settled, has its label, and is published with its total", async () => {
      const orderId = newOrderId();
      const fulfilment = fulfilmentOf(orderId);
      await context.fulfilments.settle(newMessageId(), fulfilment);
      assert.equal(await context.fulfilments.statusOf(orderId), "settled");
      assert.deepEqual([...((await context.fulfilments.label(orderId)) ?? [])], [0, 1, 2, 255]);
      const [message, ...others] = await announcedOf(orderId);
      assert.ok(message !== undefined && others.length === 0);
      assert.deepEqual([message.type, message.source], ["fulfilment.v1.OrderFulfilled", "/plumbline/worker"]);
      assert.deepEqual(OrderFulfilled.decode(message.data), {
        orderId,
        total: { currencyCode: "EUR", minorUnits: 2n ** 63n - 1n },
        occurTime: fulfilment.time,
      });
    });

    test("a label is there for the owner of its order, and not for another", async () => {
      const orderId = newOrderId();
      await context.fulfilments.settle(newMessageId(), fulfilmentOf(orderId));
      assert.ok(await context.fulfilments.label(orderId, { owner: "customer-1" }));
      assert.equal(await context.fulfilments.label(orderId, { owner: "customer-2" }), undefined);
      assert.equal(await context.fulfilments.label(orderId, { owner: "" }), undefined);
    });

    test("a rejected order is settled, has no label, and is published with its reason", async () => {
      const orderId = newOrderId();
      const fulfilment = fulfilmentOf(orderId, rejected);
      await context.fulfilments.settle(newMessageId(), fulfilment);
      assert.equal(await context.fulfilments.statusOf(orderId), "settled");
      assert.equal(await context.fulfilments.label(orderId), undefined);
      const [message] = await announcedOf(orderId);
      assert.ok(message !== undefined);
      assert.deepEqual(OrderRejected.decode(message.data), {
        orderId,
        reason: "out of stock: oolong",
        occurTime: fulfilment.time,
      });
    });

    test("a repeated message has no effect", async () => {
      const orderId = newOrderId();
      const message = newMessageId();
      await context.fulfilments.settle(message, fulfilmentOf(orderId));
      await context.fulfilments.settle(message, fulfilmentOf(orderId));
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderFulfilled"]);
    });

    test("a handled message has no other effect, even if it names another order now", async () => {
      const [first, settled, cancelled] = [newOrderId(), newOrderId(), newOrderId()];
      const message = newMessageId();
      await context.fulfilments.settle(message, fulfilmentOf(first));
      await context.fulfilments.settle(message, fulfilmentOf(settled));
      await context.fulfilments.cancel(message, { orderId: cancelled, time: new Date() });
      assert.equal(await context.fulfilments.statusOf(settled), "open");
      assert.equal(await context.fulfilments.statusOf(cancelled), "open");
    });

    test("concurrent deliveries of a message have one effect", async () => {
      const orderId = newOrderId();
      const message = newMessageId();
      const settle = () => context.fulfilments.settle(message, fulfilmentOf(orderId));
      await Promise.all([settle(), settle(), settle(), settle()]);
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderFulfilled"]);
    });

    test("the same id from another source is another message", async () => {
      const [first, second] = [newOrderId(), newOrderId()];
      const { id } = newMessageId();
      await context.fulfilments.settle({ id, source: "/a" }, fulfilmentOf(first));
      await context.fulfilments.settle({ id, source: "/b" }, fulfilmentOf(second));
      assert.deepEqual(await typesOf(second), ["fulfilment.v1.OrderFulfilled"]);
    });

    test("the first outcome of an order stays, whatever other messages say", async () => {
      const orderId = newOrderId();
      await context.fulfilments.settle(newMessageId(), fulfilmentOf(orderId, rejected));
      await context.fulfilments.settle(newMessageId(), fulfilmentOf(orderId, fulfilled));
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderRejected"]);
      assert.equal(await context.fulfilments.label(orderId), undefined);
    });

    test("cancelling withholds the label of a fulfilled order", async () => {
      const orderId = newOrderId();
      await context.fulfilments.settle(newMessageId(), fulfilmentOf(orderId));
      await context.fulfilments.cancel(newMessageId(), { orderId, time: new Date() });
      assert.equal(await context.fulfilments.label(orderId), undefined);
      assert.equal(await context.fulfilments.statusOf(orderId), "settled");
    });

    test("an order that is cancelled before it arrives is withheld and not published", async () => {
      const orderId = newOrderId();
      await context.fulfilments.cancel(newMessageId(), { orderId, time: new Date() });
      assert.equal(await context.fulfilments.statusOf(orderId), "cancelled");
      await context.fulfilments.settle(newMessageId(), fulfilmentOf(orderId));
      assert.equal(await context.fulfilments.statusOf(orderId), "settled");
      assert.equal(await context.fulfilments.label(orderId), undefined);
      assert.deepEqual(await typesOf(orderId), []);
    });

    test("a second cancel changes nothing", async () => {
      const orderId = newOrderId();
      const message = newMessageId();
      await context.fulfilments.cancel(message, { orderId, time: new Date() });
      await context.fulfilments.cancel(message, { orderId, time: new Date() });
      await context.fulfilments.cancel(newMessageId(), { orderId, time: new Date() });
      assert.equal(await context.fulfilments.statusOf(orderId), "cancelled");
    });

    test("a cancelled call changes nothing and rejects with its reason", async () => {
      const orderId = newOrderId();
      const reason = new Error("partition lost");
      const signal = AbortSignal.abort(reason);
      const message = newMessageId();
      await assert.rejects(context.fulfilments.settle(message, fulfilmentOf(orderId), { signal }), reason);
      await assert.rejects(context.fulfilments.cancel(message, { orderId, time: new Date() }, { signal }), reason);
      await assert.rejects(context.fulfilments.statusOf(orderId, { signal }), reason);
      await assert.rejects(context.fulfilments.label(orderId, { signal }), reason);
      assert.equal(await context.fulfilments.statusOf(orderId), "open");
      await context.fulfilments.settle(message, fulfilmentOf(orderId));
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderFulfilled"]);
    });
  });
}
