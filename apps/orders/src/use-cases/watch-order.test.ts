import assert from "node:assert/strict";
import test from "node:test";
import { cancel, newOrder, type Order } from "../domain/order.ts";
import { uuidV7 } from "../domain/order-id.ts";
import { MemoryOrders } from "../memory/orders.ts";
import type { OrderChanges } from "./ports.ts";
import { watchOrder } from "./watch-order.ts";

const now = new Date(0);
const raised = (order: Order) => ({ order: { ...order, version: order.version + 1n }, events: [] });
const cancelled = (order: Order) => ({ order: cancel(order, now), events: [] });

/** One pending order, and one watcher who tells when it begins to wait, and for what. */
async function open() {
  const waits: { readonly version: bigint; readonly wake: () => void }[] = [];
  let asked = Promise.withResolvers<void>();
  let watching = 0;
  const changes: OrderChanges = {
    watch: () => {
      watching++;
      return {
        newerThan: (version) => {
          const { promise, resolve } = Promise.withResolvers<void>();
          waits.push({ version, wake: resolve });
          asked.resolve();
          asked = Promise.withResolvers();
          return promise;
        },
        [Symbol.dispose]: () => void watching--,
      };
    },
  };
  const orders = new MemoryOrders();
  const order = newOrder(
    uuidV7(0, new Uint8Array(10)),
    { customerId: "ada", items: [{ sku: "tea", quantity: 1 }] },
    now,
  );
  await orders.add(order, []);
  return { orders, changes, order, waits, waiting: () => asked.promise, watching: () => watching };
}

test("changes made while the reader is busy merge into the newest", async () => {
  const { orders, changes, order, waits, waiting } = await open();
  const stream = watchOrder({ orders, changes }, undefined, { orderId: order.id, afterVersion: 0n });
  assert.equal((await stream.next()).value?.version, 1n);
  for (let change = 0; change < 5; change++) await orders.change(order.id, raised);
  const begun = waiting();
  const next = stream.next();
  await begun;
  waits.at(-1)?.wake();
  assert.equal((await next).value?.version, 6n);
});

test("a version read is waited past, not a version asked for: the end of the order is not slept through", async () => {
  const { orders, changes, order, waits, waiting } = await open();
  const begun = waiting();
  const seen = Array.fromAsync(watchOrder({ orders, changes }, undefined, { orderId: order.id, afterVersion: 5n }));
  await begun;
  assert.equal(waits.at(-1)?.version, 1n);
  await orders.change(order.id, cancelled);
  waits.at(-1)?.wake();
  assert.deepEqual(await seen, [], "nothing above version 5, and the end");
});

test("woken without a newer version it waits on and repeats nothing", async () => {
  const { orders, changes, order, waits, waiting } = await open();
  const stream = watchOrder({ orders, changes }, undefined, { orderId: order.id, afterVersion: 0n });
  await stream.next();
  const [first, next] = [waiting(), stream.next()];
  await first;
  const second = waiting();
  waits.at(-1)?.wake();
  await second;
  await orders.change(order.id, cancelled);
  waits.at(-1)?.wake();
  assert.equal((await next).value?.status, "cancelled");
});

test("the order is watched before it is first read", async () => {
  const { orders, changes, order } = await open();
  const steps: string[] = [];
  const stream = watchOrder(
    {
      changes: { watch: (id) => (steps.push("watch"), changes.watch(id)) },
      orders: new Proxy(orders, {
        get: (target, name) => (id: string) => (steps.push(String(name)), target[name as "find"](id)),
      }),
    },
    undefined,
    { orderId: order.id, afterVersion: 0n },
  );
  await stream.next();
  assert.deepEqual(steps, ["watch", "find"]);
});

test("a reader who leaves gives the watch back", async () => {
  const { orders, changes, order, watching } = await open();
  for await (const _ of watchOrder({ orders, changes }, undefined, { orderId: order.id, afterVersion: 0n })) {
    assert.equal(watching(), 1);
    break;
  }
  assert.equal(watching(), 0);
});
