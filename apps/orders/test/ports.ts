/** The contract of the ports, which every adapter passes. */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import test, { after, before, describe } from "node:test";
import { deadline } from "@plumbline/concurrency";
import { OrderCancelled, OrderPlaced } from "@plumbline/contracts";
import { type Message, shareOf } from "@plumbline/messaging";
import { eventually } from "@plumbline/tools-engines";
import { newOrderId } from "../src/app.ts";
import { money } from "../src/domain/money.ts";
import { asPlaced, cancel, type Order, settle } from "../src/domain/order.ts";
import { type OrderId, timeOf, uuidV7 } from "../src/domain/order-id.ts";
import {
  type Before,
  IdempotencyKeyReusedError,
  OrderNotFoundError,
  type Pending,
  type PendingOrders,
  type Ports,
} from "../src/use-cases/ports.ts";
import { newCustomer, newMessage, nextVersion, pendingOrder, placed } from "./builders.ts";

export interface TestContext extends AsyncDisposable, Pick<Ports, "orders" | "inbox" | "changes"> {
  /** Returns the messages that other services have received so far, in order. */
  readonly announced: () => readonly Message[];
}

const now = new Date("2026-01-02T03:04:05.678Z");
const bodyHash = Buffer.alloc(32, 1);
const cancelled = (order: Order) => {
  const next = cancel(order, now);
  return { order: next, events: [{ type: "cancelled", order: next } as const] };
};
const fulfilled = (order: Order) => ({
  order: settle(order, { status: "fulfilled", total: money("EUR", 2n ** 63n - 1n) }, now),
  events: [],
});

export function portsContract(adapter: string, open: () => Promise<TestContext>): void {
  describe(adapter, () => {
    let context: TestContext;
    before(async () => {
      context = await open();
    });
    after(() => context?.[Symbol.asyncDispose]());

    /** Returns the event types published for these orders before this call. */
    async function announcedOf(...orders: readonly Order[]): Promise<string[]> {
      const fence = pendingOrder();
      await context.orders.add(fence, placed(fence));
      const all = await eventually(context.announced, (messages) => messages.some(({ key }) => key === fence.id));
      const keys = new Set<string>(orders.map(({ id }) => id));
      return all.filter(({ key }) => keys.has(key)).map(({ type }) => type);
    }

    test("an order is there for its owner, and not for another", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const other = newCustomer();
      assert.deepEqual(await context.orders.find(order.id, { owner: order.customerId }), order);
      assert.equal(await context.orders.find(order.id, { owner: other }), undefined);
      let asked = 0;
      const decide = (found: Order) => (asked++, cancelled(found));
      await assert.rejects(context.orders.change(order.id, decide, { owner: other }), OrderNotFoundError);
      assert.equal(asked, 0);
      assert.deepEqual(await context.orders.find(order.id), order);
      await context.orders.change(order.id, decide, { owner: order.customerId });
      assert.equal((await context.orders.find(order.id))?.status, "cancelled");
      assert.deepEqual(await announcedOf(order), ["orders.v1.OrderPlaced", "orders.v1.OrderCancelled"]);
    });

    test("an added order is found unchanged", async () => {
      const order = pendingOrder({
        items: [
          { sku: "tea", quantity: 1_000 },
          { sku: "a-1", quantity: 1 },
        ],
      });
      assert.deepEqual(await context.orders.add(order, placed(order)), order);
      assert.deepEqual(await context.orders.find(order.id), order);
    });

    test("an order that was never placed is not found", async () =>
      assert.equal(await context.orders.find(newOrderId()), undefined));

    test("a customer's orders are listed, the newest first, without those of others", async () => {
      const customerId = newCustomer();
      const orders: Order[] = [];
      for (let millisecond = 0; millisecond < 5; millisecond++) {
        const id = uuidV7(now.getTime() + millisecond, randomBytes(10));
        const order = pendingOrder({ id, customerId });
        orders.unshift(order);
        await context.orders.add(order, placed(order));
      }
      const other = pendingOrder();
      await context.orders.add(other, placed(other));
      const list = (query: object) => context.orders.list({ customerId, limit: 10, maxBytes: 1_000_000, ...query });
      assert.deepEqual(await list({}), { orders, more: false });
      assert.deepEqual(await list({ limit: 2 }), { orders: orders.slice(0, 2), more: true });
      assert.deepEqual(await list({ before: orders[1]?.id, limit: 2 }), { orders: orders.slice(2, 4), more: true });
      assert.deepEqual(await list({ before: orders[4]?.id, limit: 2 }), { orders: [], more: false });
      // A page of octets has at least one order, and says that others follow.
      assert.deepEqual(await list({ maxBytes: 1 }), { orders: orders.slice(0, 1), more: true });
      const maxBytes = Math.ceil(JSON.stringify(orders[0]?.items).length * 1.5);
      assert.deepEqual(await list({ maxBytes }), { orders: orders.slice(0, 2), more: true });
    });

    test("a change is stored and returned exactly, to the last minor unit", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const next = await context.orders.change(order.id, fulfilled);
      assert.equal(next.total?.minorUnits, 2n ** 63n - 1n);
      assert.equal(next.version, 2n);
      assert.deepEqual(await context.orders.find(order.id), next);
    });

    test("an order that was never placed cannot be changed", async () =>
      await assert.rejects(context.orders.change(newOrderId(), cancelled), OrderNotFoundError));

    test("a decision that throws stores and publishes nothing", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const refused = new Error("refused");
      const decide = (): never => {
        throw refused;
      };
      await assert.rejects(context.orders.change(order.id, decide), refused);
      assert.deepEqual(await context.orders.find(order.id), order);
      assert.deepEqual(await announcedOf(order), ["orders.v1.OrderPlaced"]);
    });

    test("a decision that returns the same order publishes nothing", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      await context.orders.change(order.id, cancelled);
      const before = await context.orders.find(order.id);
      const same = await context.orders.change(order.id, (order) => ({ order, events: placed(order) }));
      assert.deepEqual(same, before);
      assert.deepEqual(await announcedOf(order), ["orders.v1.OrderPlaced", "orders.v1.OrderCancelled"]);
    });

    test("concurrent changes each see the result of the one before", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      await Promise.all(
        Array.from({ length: 20 }, () =>
          context.orders.change(order.id, (order) => ({
            order: { ...order, version: order.version + 1n },
            events: [],
          })),
        ),
      );
      assert.equal((await context.orders.find(order.id))?.version, 21n);
    });

    test("events are published once, in order, with their content", async () => {
      const order = pendingOrder({ items: [{ sku: "tea", quantity: 3 }] });
      await context.orders.add(order, placed(order));
      const next = await context.orders.change(order.id, cancelled);
      assert.deepEqual(await announcedOf(order), ["orders.v1.OrderPlaced", "orders.v1.OrderCancelled"]);
      const [first, second] = context.announced().filter(({ key }) => key === order.id);
      assert.ok(first !== undefined && second !== undefined);
      assert.equal(first.source, "/plumbline/orders");
      assert.equal(first.contentType, "application/protobuf");
      assert.notEqual(first.id, second.id);
      assert.deepEqual(OrderPlaced.decode(first.data), {
        orderId: order.id,
        customerId: order.customerId,
        items: [{ sku: "tea", quantity: 3 }],
        version: 1n,
        occurTime: order.createTime,
      });
      assert.deepEqual(OrderCancelled.decode(second.data), {
        orderId: order.id,
        version: 2n,
        occurTime: next.updateTime,
      });
    });

    test("a key that is used again for the same request returns the first order as it was placed", async () => {
      const order = pendingOrder();
      const idempotencyKey = { key: randomUUID(), bodyHash };
      await context.orders.add(order, placed(order), { idempotencyKey });
      await context.orders.change(order.id, fulfilled);
      const again = pendingOrder({ customerId: order.customerId });
      assert.deepEqual(await context.orders.add(again, placed(again), { idempotencyKey }), asPlaced(order));
      assert.equal(await context.orders.find(again.id), undefined);
      assert.deepEqual(await announcedOf(order, again), ["orders.v1.OrderPlaced"]);
    });

    test("a new order that its rules refuse is not stored, and a repeat is not checked", async () => {
      const order = pendingOrder();
      const idempotencyKey = { key: randomUUID(), bodyHash };
      const refused = new Error("refused");
      const admit = (): never => {
        throw refused;
      };
      await assert.rejects(context.orders.add(order, placed(order), { idempotencyKey, admit }), refused);
      assert.equal(await context.orders.find(order.id), undefined);
      await context.orders.add(order, placed(order), { idempotencyKey });
      const again = pendingOrder({ customerId: order.customerId });
      assert.deepEqual(await context.orders.add(again, placed(again), { idempotencyKey, admit }), order);
      assert.deepEqual(await announcedOf(order, again), ["orders.v1.OrderPlaced"]);
    });

    test("a new order's rules see the unanswered orders of its client, whatever customers they name", async () => {
      const shareKey = `client-${randomUUID().slice(0, 13)}`;
      const items = ["a", "b", "c"].map((sku) => ({ sku, quantity: 9 }));
      const seen: Pending[] = [];
      const add = async (key: string): Promise<Order> => {
        const order = pendingOrder({ items });
        const admit = ({ ofClient }: PendingOrders): void => void seen.push(ofClient);
        return await context.orders.add(order, placed(order), { shareKey: key, admit });
      };
      const first = await add(shareKey);
      const second = await add(shareKey);
      await context.orders.change(first.id, fulfilled);
      await add(shareKey);
      await add(`${shareKey}-other`);
      // A cancelled order counts for a minute, because the worker may be at it.
      await context.orders.change(second.id, cancelled);
      await add(shareKey);
      const none = { orders: 0, cost: 0 };
      assert.deepEqual(seen, [none, { orders: 1, cost: 3 }, { orders: 1, cost: 3 }, none, { orders: 2, cost: 6 }]);
    });

    test("a new order's rules see when its customer placed the nth last, whatever became of it", async () => {
      const customerId = newCustomer();
      const seen: (number | undefined)[] = [];
      const orders: Order[] = [];
      const add = async (lookBack: number): Promise<void> => {
        const order = pendingOrder({ customerId });
        const admit = ({ nthLastMs }: Before): void => void seen.push(nthLastMs);
        orders.push(await context.orders.add(order, placed(order), { admit, lookBack }));
        const other = pendingOrder();
        await context.orders.add(other, placed(other));
      };
      for (const lookBack of [1, 2, 2, 2, 0]) await add(lookBack);
      await context.orders.change(orders[4]?.id as OrderId, cancelled);
      await add(1);
      const times = orders.map(({ id }) => timeOf(id)).toSorted((a, b) => a - b);
      assert.deepEqual(seen, [undefined, undefined, times[0], times[1], undefined, times[4]]);
    });

    test("events have the share key of the client that asked for the change, and its cost", async () => {
      const items = ["a", "b", "c"].map((sku) => ({ sku, quantity: 1 }));
      const order = pendingOrder({ items });
      const shareKey = "2001:db8:1:2::/64";
      await context.orders.add(order, [{ type: "placed", order, shareKey }], { shareKey });
      const change = () => {
        const { order: next } = cancelled(order);
        return { order: next, events: [{ type: "cancelled", order: next, shareKey: "192.0.2.1" } as const] };
      };
      await context.orders.change(order.id, change);
      const of = (messages: readonly Message[]) => messages.filter(({ key }) => key === order.id);
      const got = of(await eventually(context.announced, (messages) => of(messages).length === 2));
      assert.deepEqual(got.map(shareOf), [
        { share: shareKey, cost: 3 },
        { share: "192.0.2.1", cost: 1 },
      ]);
      assert.deepEqual(await context.orders.find(order.id), change().order);
    });

    test("a key that is used again for another request is refused", async () => {
      const order = pendingOrder();
      const key = randomUUID();
      await context.orders.add(order, placed(order), { idempotencyKey: { key, bodyHash } });
      const other = pendingOrder({ customerId: order.customerId });
      await assert.rejects(
        context.orders.add(other, placed(other), { idempotencyKey: { key, bodyHash: Buffer.alloc(32, 2) } }),
        IdempotencyKeyReusedError,
      );
      assert.equal(await context.orders.find(other.id), undefined);
    });

    test("two customers may use the same key", async () => {
      const idempotencyKey = { key: randomUUID(), bodyHash };
      for (const order of [pendingOrder(), pendingOrder()]) {
        assert.deepEqual(await context.orders.add(order, placed(order), { idempotencyKey }), order);
      }
    });

    test("many concurrent requests with one key place one order, and all return it", async () => {
      const customerId = newCustomer();
      const idempotencyKey = { key: randomUUID(), bodyHash };
      const orders = Array.from({ length: 20 }, () => pendingOrder({ customerId }));
      const answers = await Promise.all(
        orders.map((order) => context.orders.add(order, placed(order), { idempotencyKey })),
      );
      const { orders: found } = await context.orders.list({ customerId, limit: 100, maxBytes: 1_000_000 });
      const [winner] = found;
      for (const answer of answers) assert.deepEqual(answer, winner);
      assert.equal(found.length, 1);
      assert.deepEqual(await announcedOf(...orders), ["orders.v1.OrderPlaced"]);
    });

    test("a request that is cancelled before it begins stores nothing and leaves its key free", async () => {
      const order = pendingOrder();
      const idempotencyKey = { key: randomUUID(), bodyHash };
      const reason = new Error("the client is gone");
      const signal = AbortSignal.abort(reason);
      await assert.rejects(context.orders.add(order, placed(order), { idempotencyKey, signal }), reason);
      assert.equal(await context.orders.find(order.id), undefined);
      const second = pendingOrder({ customerId: order.customerId });
      assert.deepEqual(await context.orders.add(second, placed(second), { idempotencyKey }), second);
      for (const call of [
        () => context.orders.find(order.id, { signal }),
        () => context.orders.list({ customerId: order.customerId, limit: 1, maxBytes: 1_000 }, { signal }),
        () => context.orders.change(second.id, cancelled, { signal }),
        () => context.inbox.changeOnce(newMessage(), order.id, () => assert.fail("handled"), { signal }),
      ]) {
        await assert.rejects(call(), reason);
      }
    });

    test("a message has one effect, however often it is delivered", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const message = newMessage();
      for (let delivery = 0; delivery < 3; delivery++) {
        await context.inbox.changeOnce(message, order.id, nextVersion);
      }
      assert.equal((await context.orders.find(order.id))?.version, 2n);
    });

    test("concurrent deliveries of a message have one effect", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const message = newMessage();
      await Promise.all(Array.from({ length: 8 }, () => context.inbox.changeOnce(message, order.id, nextVersion)));
      assert.equal((await context.orders.find(order.id))?.version, 2n);
    });

    test("a message that cannot be handled fails alone among those that are handled at once", async () => {
      const orders = Array.from({ length: 5 }, () => pendingOrder());
      for (const order of orders) await context.orders.add(order, placed(order));
      const failure = new Error("no decision");
      const undecided = () => {
        throw failure;
      };
      const outcomes = await Promise.allSettled([
        ...orders.slice(1).map(({ id }) => context.inbox.changeOnce(newMessage(), id, nextVersion)),
        context.inbox.changeOnce(newMessage(), newOrderId(), nextVersion),
        context.inbox.changeOnce(newMessage(), orders[0]?.id ?? newOrderId(), undecided),
      ]);
      const reasons = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason : undefined));
      assert.deepEqual(reasons.slice(0, 4), [undefined, undefined, undefined, undefined]);
      assert.ok(reasons[4] instanceof OrderNotFoundError);
      assert.equal(reasons[5], failure);
      const found = await Promise.all(orders.map(({ id }) => context.orders.find(id)));
      assert.deepEqual(
        found.map((order) => order?.version),
        [1n, 2n, 2n, 2n, 2n],
      );
    });

    test("messages about one order that are handled at once take turns", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const messages = Array.from({ length: 8 }, newMessage);
      await Promise.all(messages.map((message) => context.inbox.changeOnce(message, order.id, nextVersion)));
      assert.equal((await context.orders.find(order.id))?.version, 9n);
    });

    test("messages and changes of orders at once each see the result of the one before", async () => {
      const orders = Array.from({ length: 4 }, () => pendingOrder());
      for (const order of orders) await context.orders.add(order, placed(order));
      await Promise.all(
        Array.from({ length: 12 }, () => orders).flatMap((all) =>
          all.flatMap(({ id }) => [
            context.inbox.changeOnce(newMessage(), id, nextVersion),
            context.orders.change(id, nextVersion),
          ]),
        ),
      );
      const found = await Promise.all(orders.map(({ id }) => context.orders.find(id)));
      assert.deepEqual(
        found.map((order) => order?.version),
        [25n, 25n, 25n, 25n],
      );
    });

    test("a decision that fails leaves nothing behind, and a redelivery succeeds", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const message = newMessage();
      const failure = new Error("no decision");
      const undecided = () => {
        throw failure;
      };
      await assert.rejects(context.inbox.changeOnce(message, order.id, undecided), failure);
      assert.deepEqual(await context.orders.find(order.id), order);
      await context.inbox.changeOnce(message, order.id, cancelled);
      assert.equal((await context.orders.find(order.id))?.status, "cancelled");
      assert.deepEqual(await announcedOf(order), ["orders.v1.OrderPlaced", "orders.v1.OrderCancelled"]);
    });

    test("messages of two sources may have the same id", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const { id } = newMessage();
      for (const source of ["/plumbline/worker", "/plumbline/other"]) {
        await context.inbox.changeOnce({ id, source }, order.id, nextVersion);
      }
      assert.equal((await context.orders.find(order.id))?.version, 3n);
    });

    test("a message is recorded with a decision that changes nothing", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      const message = newMessage();
      await context.inbox.changeOnce(message, order.id, (order) => ({ order, events: [] }));
      await context.inbox.changeOnce(message, order.id, nextVersion);
      assert.equal((await context.orders.find(order.id))?.version, 1n);
    });

    test("a watcher learns of each newer version once it is readable", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      using watch = context.changes.watch(order.id);
      using limit = deadline(10_000);
      for (let version = 1n; version < 4n; version++) {
        const heard = watch.newerThan(version, limit);
        await context.orders.change(order.id, (order) => ({ order: { ...order, version: version + 1n }, events: [] }));
        await heard;
        assert.equal((await context.orders.find(order.id))?.version, version + 1n);
      }
    });

    test("changes merge into the latest while a watcher does not wait", async () => {
      const order = pendingOrder();
      await context.orders.add(order, placed(order));
      using watch = context.changes.watch(order.id);
      using limit = deadline(10_000);
      for (let version = 2n; version < 6n; version++) {
        await context.orders.change(order.id, (order) => ({ order: { ...order, version }, events: [] }));
      }
      await watch.newerThan(4n, limit);
      const reason = new Error("enough");
      const stop = new AbortController();
      const heard = watch.newerThan(5n, { signal: stop.signal });
      stop.abort(reason);
      await assert.rejects(heard, reason);
    });
  });
}
