/** The round trips to Postgres of an order. docs/performance.md lists their statements. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { proxyTo, testDatabase } from "@plumbline/tools-engines";
import { type Order, settle } from "../src/domain/order.ts";
import { PostgresInbox } from "../src/postgres/inbox.ts";
import { migrations } from "../src/postgres/migrations.ts";
import { PostgresOrders } from "../src/postgres/orders.ts";
import { newMessage, pendingOrder, placed } from "./builders.ts";

/** Opens the adapters over one connection, on which nothing else runs. */
async function openCounted() {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await testDatabase());
  const proxy = stack.use(await proxyTo(url));
  const options = { url: proxy.url, applicationName: "orders", poolSize: 1, heartbeatMs: 600_000 };
  const database = stack.use(await openDatabase(options, noTelemetry));
  await migrate(database, migrations);
  const orders = new PostgresOrders(database, noTelemetry);
  const inbox = new PostgresInbox(database, noTelemetry);
  /** Returns the round trips of the second call, since a connection prepares statements once. */
  const tripsOf = async (work: () => Promise<unknown>): Promise<number> => {
    await work();
    const before = proxy.requests();
    await work();
    return proxy.requests() - before;
  };
  const place = async (key?: string, lookBack?: number) => {
    const order = pendingOrder();
    const idempotencyKey = key === undefined ? undefined : { key, bodyHash: Buffer.from("body") };
    await orders.add(order, placed(order), { shareKey: "10.0.0.1", admit: () => {}, idempotencyKey, lookBack });
    return order;
  };
  const owned = stack.move();
  return { inbox, place, tripsOf, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("placing an order takes two round trips, with an idempotency key and a quota too", async () => {
  await using counted = await openCounted();
  assert.equal(await counted.tripsOf(() => counted.place()), 2);
  assert.equal(await counted.tripsOf(() => counted.place(crypto.randomUUID())), 2);
  assert.equal(await counted.tripsOf(() => counted.place(crypto.randomUUID(), 60)), 2);
});

test("settling an order takes two round trips, and two if the message was handled", async () => {
  await using counted = await openCounted();
  const [first, second] = [await counted.place(), await counted.place()];
  const messages = [newMessage(), newMessage()];
  const settleBoth = () => {
    const left = [first, second];
    return async () => {
      const order = left.shift() ?? second;
      const message = messages[order === first ? 0 : 1];
      if (message === undefined) throw new Error("there is a message for each order");
      await counted.inbox.changeOnce(message, order.id, (order) => ({
        order: settle(order, { status: "rejected", reason: "out of stock" }, new Date()),
        events: [],
      }));
    };
  };
  assert.equal(await counted.tripsOf(settleBoth()), 2);
  assert.equal(await counted.tripsOf(settleBoth()), 2);
});

test("settling ten orders at once takes as many round trips as settling one", async () => {
  await using counted = await openCounted();
  const orders: Order[] = [];
  while (orders.length < 20) orders.push(await counted.place());
  const settleTen = async () => {
    const ten = orders.splice(0, 10).map(({ id }) =>
      counted.inbox.changeOnce(newMessage(), id, (order) => ({
        order: settle(order, { status: "rejected", reason: "out of stock" }, new Date()),
        events: [],
      })),
    );
    await Promise.all(ten);
  };
  assert.equal(await counted.tripsOf(settleTen), 2);
});
