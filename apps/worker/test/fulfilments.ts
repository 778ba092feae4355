/** The contract of Fulfilments: what fulfilling relies on, asked of every adapter in the same words. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import type { Message } from "@plumbline/messaging";
import type { Fulfilments } from "../src/use-cases/ports.ts";
import { fulfilled, fulfilmentOf, newMessageName, newOrderId, rejected } from "./builders.ts";

export interface World extends AsyncDisposable {
  readonly fulfilments: Fulfilments;
  /** The events recorded for others so far, in order. */
  announced(): Promise<readonly Message[]>;
}

export function fulfilmentsContract(adapter: string, open: () => Promise<World>): void {
  describe(adapter, () => {
    let world: World;
    before(async () => {
      world = await open();
    });
    after(() => world?.[Symbol.asyncDispose]());

    const announcedOf = async (orderId: string) => (await world.announced()).filter(({ key }) => key === orderId);
    const typesOf = async (orderId: string) => (await announcedOf(orderId)).map(({ type }) => type);

    test("an order nobody spoke of is open and has no label", async () => {
      const orderId = newOrderId();
      assert.equal(await world.fulfilments.statusOf(orderId), "open");
      assert.equal(await world.fulfilments.label(orderId), undefined);
    });

    test("a fulfilled order is settled, has its label, and is announced with its total", async () => {
      const orderId = newOrderId();
      const fulfilment = fulfilmentOf(orderId);
      await world.fulfilments.settle(newMessageName(), fulfilment);
      assert.equal(await world.fulfilments.statusOf(orderId), "settled");
      assert.deepEqual([...((await world.fulfilments.label(orderId)) ?? [])], [0, 1, 2, 255]);
      const [message, ...others] = await announcedOf(orderId);
      assert.ok(message !== undefined && others.length === 0);
      assert.deepEqual([message.type, message.source], ["fulfilment.v1.OrderFulfilled", "/plumbline/worker"]);
      assert.deepEqual(OrderFulfilled.decode(message.data), {
        orderId,
        total: { currencyCode: "EUR", minorUnits: 2n ** 63n - 1n },
        occurTime: fulfilment.time,
      });
    });

    test("a rejected order is settled, has no label, and is announced with its reason", async () => {
      const orderId = newOrderId();
      const fulfilment = fulfilmentOf(orderId, rejected);
      await world.fulfilments.settle(newMessageName(), fulfilment);
      assert.equal(await world.fulfilments.statusOf(orderId), "settled");
      assert.equal(await world.fulfilments.label(orderId), undefined);
      const [message] = await announcedOf(orderId);
      assert.ok(message !== undefined);
      assert.deepEqual(OrderRejected.decode(message.data), {
        orderId,
        reason: "out of stock: oolong",
        occurTime: fulfilment.time,
      });
    });

    test("the same message again has no effect", async () => {
      const orderId = newOrderId();
      const message = newMessageName();
      await world.fulfilments.settle(message, fulfilmentOf(orderId));
      await world.fulfilments.settle(message, fulfilmentOf(orderId));
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderFulfilled"]);
    });

    test("a message that has had its effect has no other, whatever order it names now", async () => {
      const [first, settled, cancelled] = [newOrderId(), newOrderId(), newOrderId()];
      const message = newMessageName();
      await world.fulfilments.settle(message, fulfilmentOf(first));
      await world.fulfilments.settle(message, fulfilmentOf(settled));
      await world.fulfilments.cancel(message, { orderId: cancelled, time: new Date() });
      assert.equal(await world.fulfilments.statusOf(settled), "open");
      assert.equal(await world.fulfilments.statusOf(cancelled), "open");
    });

    test("of the same message at the same time one has its effect", async () => {
      const orderId = newOrderId();
      const message = newMessageName();
      const settle = () => world.fulfilments.settle(message, fulfilmentOf(orderId));
      await Promise.all([settle(), settle(), settle(), settle()]);
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderFulfilled"]);
    });

    test("the same id from another source is another message", async () => {
      const [first, second] = [newOrderId(), newOrderId()];
      const { id } = newMessageName();
      await world.fulfilments.settle({ id, source: "/a" }, fulfilmentOf(first));
      await world.fulfilments.settle({ id, source: "/b" }, fulfilmentOf(second));
      assert.deepEqual(await typesOf(second), ["fulfilment.v1.OrderFulfilled"]);
    });

    test("the first thing that came of an order stays, whatever other messages say", async () => {
      const orderId = newOrderId();
      await world.fulfilments.settle(newMessageName(), fulfilmentOf(orderId, rejected));
      await world.fulfilments.settle(newMessageName(), fulfilmentOf(orderId, fulfilled));
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderRejected"]);
      assert.equal(await world.fulfilments.label(orderId), undefined);
    });

    test("cancelling withholds the label of a fulfilled order", async () => {
      const orderId = newOrderId();
      await world.fulfilments.settle(newMessageName(), fulfilmentOf(orderId));
      await world.fulfilments.cancel(newMessageName(), { orderId, time: new Date() });
      assert.equal(await world.fulfilments.label(orderId), undefined);
      assert.equal(await world.fulfilments.statusOf(orderId), "settled");
    });

    test("an order cancelled before it came is cancelled, and its fulfilment is withheld and not announced", async () => {
      const orderId = newOrderId();
      await world.fulfilments.cancel(newMessageName(), { orderId, time: new Date() });
      assert.equal(await world.fulfilments.statusOf(orderId), "cancelled");
      await world.fulfilments.settle(newMessageName(), fulfilmentOf(orderId));
      assert.equal(await world.fulfilments.statusOf(orderId), "settled");
      assert.equal(await world.fulfilments.label(orderId), undefined);
      assert.deepEqual(await typesOf(orderId), []);
    });

    test("cancelling twice is cancelling once", async () => {
      const orderId = newOrderId();
      const message = newMessageName();
      await world.fulfilments.cancel(message, { orderId, time: new Date() });
      await world.fulfilments.cancel(message, { orderId, time: new Date() });
      await world.fulfilments.cancel(newMessageName(), { orderId, time: new Date() });
      assert.equal(await world.fulfilments.statusOf(orderId), "cancelled");
    });

    test("a cancelled call changes nothing and rejects with its reason", async () => {
      const orderId = newOrderId();
      const reason = new Error("partition lost");
      const signal = AbortSignal.abort(reason);
      const message = newMessageName();
      await assert.rejects(world.fulfilments.settle(message, fulfilmentOf(orderId), { signal }), reason);
      await assert.rejects(world.fulfilments.cancel(message, { orderId, time: new Date() }, { signal }), reason);
      await assert.rejects(world.fulfilments.statusOf(orderId, { signal }), reason);
      await assert.rejects(world.fulfilments.label(orderId, { signal }), reason);
      assert.equal(await world.fulfilments.statusOf(orderId), "open");
      await world.fulfilments.settle(message, fulfilmentOf(orderId));
      assert.deepEqual(await typesOf(orderId), ["fulfilment.v1.OrderFulfilled"]);
    });
  });
}
