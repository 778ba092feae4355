/** The behaviour that only a real database has. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before } from "node:test";
import { deadline } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry, startTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { cancel, type Order } from "../src/domain/order.ts";
import { pruneKeys } from "../src/postgres/idempotency-keys.ts";
import { PostgresInbox } from "../src/postgres/inbox.ts";
import { channel } from "../src/postgres/order-transaction.ts";
import { PostgresOrders } from "../src/postgres/orders.ts";
import { followPending, forgetShareKeys } from "../src/postgres/pending-counts.ts";
import { watchOrder } from "../src/use-cases/watch-order.ts";
import { newCustomer, newMessage, nextVersion, pendingOrder, placed } from "./builders.ts";
import { openPostgresContext, type PostgresTestContext } from "./postgres-context.ts";
import { runService } from "./service.ts";

let context: PostgresTestContext;
/** A connection outside the service. */
let other: Database;
before(async () => {
  context = await openPostgresContext();
  other = await openDatabase({ url: context.url, applicationName: "other" }, noTelemetry);
});
after(async () => {
  await other?.[Symbol.asyncDispose]();
  await context?.[Symbol.asyncDispose]();
});

/** Returns the number of the service's statements that wait for a lock. */
async function waiting(): Promise<number> {
  const rows = await other.query(
    "select 1 from pg_stat_activity where application_name = 'orders' and wait_event_type = 'Lock' and datname = current_database()",
  );
  return rows.length;
}

async function deadlocks(): Promise<bigint | undefined> {
  const [row] = await other.query<{ count: bigint }>(
    "select deadlocks as count from pg_stat_database where datname = current_database()",
  );
  return row?.count;
}

test("when a client disconnects, its statement is cancelled on the server", async () => {
  await using running = await runService(await openPostgresContext());
  const { url } = running.context as PostgresTestContext;
  await using rival = await openDatabase({ url, applicationName: "rival" }, noTelemetry);
  const { id: orderId } = await running.client.placeOrder({
    customerId: newCustomer(),
    items: [{ sku: "tea", quantity: 1 }],
  });
  const blocked = async (): Promise<number> =>
    (
      await rival.query(
        "select 1 from pg_stat_activity where datname = current_database() and application_name = 'orders' and wait_event_type = 'Lock'",
      )
    ).length;

  await rival.session(async (session) => {
    await session.query("begin");
    await session.query("select 1 from orders where id = $1 for update", [orderId]);
    const hangUp = new AbortController();
    const refused = assert.rejects(running.client.cancelOrder({ orderId }, { signal: hangUp.signal }));
    await eventually(blocked, (count) => count === 1);
    hangUp.abort();
    await refused;
    // The lock is still held, so only a cancel ends the statement.
    await eventually(blocked, (count) => count === 0, 2_000);
    await session.query("rollback");
  });
  assert.equal((await running.client.getOrder({ orderId })).version, 1n);
  assert.equal((await running.client.cancelOrder({ orderId })).version, 2n, "the connection is fit for the next");
});

test("a statement ends at the deadline of its call", async () => {
  await using running = await runService(await openPostgresContext());
  const { database } = running.context as PostgresTestContext;
  const { id: orderId } = await running.client.placeOrder({
    customerId: newCustomer(),
    items: [{ sku: "tea", quantity: 1 }],
  });
  await database.session(async (session) => {
    await session.query("begin");
    await session.query("select 1 from orders where id = $1 for update", [orderId]);
    await assert.rejects(
      running.client.cancelOrder({ orderId }, { timeoutMs: 200 }),
      (error) => codeOf(error) === "deadline_exceeded",
    );
    await session.query("rollback");
  });
  assert.equal((await running.client.getOrder({ orderId })).version, 1n);
});

test("a request that waits for another one with its key can be cancelled", async () => {
  const customerId = newCustomer();
  const [first, second] = [pendingOrder({ customerId }), pendingOrder({ customerId })];
  const idempotencyKey = { key: randomUUID(), bodyHash: Buffer.alloc(32) };
  await other.session(async (session) => {
    await session.query("begin");
    await session.query(
      "insert into idempotency_keys (method, customer_id, key, body_hash, order_id) values ('PlaceOrder', $1, $2, $3, $4)",
      [customerId, idempotencyKey.key, idempotencyKey.bodyHash, first.id],
    );
    const giveUp = new AbortController();
    const reason = new Error("given up");
    const refused = assert.rejects(
      context.orders.add(second, placed(second), { idempotencyKey, signal: giveUp.signal }),
      reason,
    );
    await eventually(waiting, (count) => count === 1);
    giveUp.abort(reason);
    await refused;
    await eventually(waiting, (count) => count === 0, 2_000);
    await session.query("rollback");
  });
  assert.deepEqual(await context.orders.add(second, placed(second), { idempotencyKey }), second);
});

test("an order that somebody else holds keeps no other message waiting", async () => {
  const [held, free] = [pendingOrder(), pendingOrder()];
  for (const order of [held, free]) await context.orders.add(order, placed(order));
  await other.session(async (session) => {
    await session.query("begin");
    await session.query("select 1 from orders where id = $1 for update", [held.id]);
    const behind = context.inbox.changeOnce(newMessage(), held.id, nextVersion);
    await context.inbox.changeOnce(newMessage(), free.id, nextVersion);
    await eventually(waiting, (count) => count === 1);
    await context.inbox.changeOnce(newMessage(), free.id, nextVersion);
    await session.query("commit");
    await behind;
  });
  assert.equal((await context.orders.find(held.id))?.version, 2n);
  assert.equal((await context.orders.find(free.id))?.version, 3n);
});

test("a message that waits for an order can be given up, and has no effect then", async () => {
  const order = pendingOrder();
  await context.orders.add(order, placed(order));
  const message = newMessage();
  await other.session(async (session) => {
    await session.query("begin");
    await session.query("select 1 from orders where id = $1 for update", [order.id]);
    const lost = new AbortController();
    const refused = assert.rejects(context.inbox.changeOnce(message, order.id, nextVersion, lost), /partition lost/);
    await eventually(waiting, (count) => count === 1);
    lost.abort(new Error("partition lost"));
    await refused;
    await eventually(waiting, (count) => count === 0);
    await session.query("commit");
  });
  assert.equal((await context.orders.find(order.id))?.version, 1n);
  await context.inbox.changeOnce(message, order.id, nextVersion);
  assert.equal((await context.orders.find(order.id))?.version, 2n);
});

test("a batch that waits for a message's record ends when its calls are given up, and later ones go on", async () => {
  const [stuck, free] = [pendingOrder(), pendingOrder()];
  for (const order of [stuck, free]) await context.orders.add(order, placed(order));
  await other.session(async (session) => {
    const noted = newMessage();
    await session.query("begin");
    await session.query("insert into inbox (\"group\", source, id) values ('orders', $1, $2)", [
      noted.source,
      noted.id,
    ]);
    using limit = deadline(500);
    const late = assert.rejects(context.inbox.changeOnce(noted, stuck.id, nextVersion, limit), {
      name: "TimeoutError",
    });
    await eventually(waiting, (count) => count === 1);
    await context.inbox.changeOnce(newMessage(), free.id, nextVersion);
    await late;
    await session.query("rollback");
  });
  assert.equal((await context.orders.find(stuck.id))?.version, 1n);
  assert.equal((await context.orders.find(free.id))?.version, 2n);
});

test("the same messages at two replicas at once have their effects once, and no call fails", async () => {
  await using second = await openDatabase({ url: context.url, applicationName: "second" }, noTelemetry);
  const inboxes = [context.inbox, new PostgresInbox(second, noTelemetry)];
  const orders = Array.from({ length: 20 }, () => pendingOrder());
  for (const order of orders) await context.orders.add(order, placed(order));
  const messages = orders.map(({ id }) => ({ id, message: newMessage() }));
  await Promise.all([
    ...inboxes.flatMap((inbox, replica) => {
      const inOrder = replica === 0 ? messages : messages.toReversed();
      return inOrder.map(({ id, message }) => inbox.changeOnce(message, id, nextVersion));
    }),
    ...orders.map(({ id }) => context.orders.change(id, nextVersion)),
  ]);
  const found = await Promise.all(orders.map(({ id }) => context.orders.find(id)));
  assert.deepEqual(new Set(found.map((order) => order?.version)), new Set([3n]));
  assert.equal(await deadlocks(), 0n);
});

test("a message that is handled alone does not deadlock with a batch that has it too", async () => {
  const orders = [pendingOrder(), pendingOrder()];
  for (const order of orders) await context.orders.add(order, placed(order));
  // A batch notes its messages by their ids.
  const messages = [newMessage(), newMessage()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const [first = newMessage(), second = newMessage()] = messages;
  const [held = pendingOrder(), shared = pendingOrder()] = orders;
  const replica = new PostgresInbox(context.database, noTelemetry);
  await other.session(async (session) => {
    await session.query("begin");
    await session.query("insert into inbox (\"group\", source, id) values ('orders', $1, $2)", [
      first.source,
      first.id,
    ]);
    const batch = [
      context.inbox.changeOnce(first, held.id, nextVersion),
      context.inbox.changeOnce(second, shared.id, nextVersion),
    ];
    await eventually(waiting, (count) => count === 1);
    const alone = replica.changeOnce(second, shared.id, nextVersion);
    await eventually(waiting, (count) => count === 2);
    await session.query("rollback");
    await Promise.all([...batch, alone]);
  });
  const found = await Promise.all(orders.map(({ id }) => context.orders.find(id)));
  assert.deepEqual(
    found.map((order) => order?.version),
    [2n, 2n],
  );
  assert.equal(await deadlocks(), 0n);
});

test("a change made by another process reaches the watchers of this one", async () => {
  const order = pendingOrder();
  await context.orders.add(order, placed(order));
  const elsewhere = new PostgresOrders(other, noTelemetry);
  const seen: bigint[] = [];
  using limit = deadline(10_000);
  for await (const { version } of watchOrder(context, undefined, { orderId: order.id, afterVersion: 0n }, limit)) {
    seen.push(version);
    if (version === 1n) {
      await elsewhere.change(order.id, (order) => ({ order: cancel(order, new Date()), events: [] }));
    }
  }
  assert.deepEqual(seen, [1n, 2n]);
});

test("a watcher sees changes made while the connections to the database were lost", async () => {
  await using context = await openPostgresContext();
  await using other = await openDatabase({ url: context.url, applicationName: "other" }, noTelemetry);
  const order = pendingOrder();
  await context.orders.add(order, placed(order));
  using limit = deadline(10_000);
  const stream = watchOrder(context, undefined, { orderId: order.id, afterVersion: 0n }, limit);
  assert.equal((await stream.next()).value?.version, 1n);
  const next = stream.next();
  const listening = (): Promise<unknown[]> =>
    other.query("select 1 from pg_stat_activity where datname = current_database() and application_name = 'orders'");
  context.proxy.cut();
  await eventually(listening, (connections) => connections.length === 0);
  // This notification reaches no watcher.
  await new PostgresOrders(other, noTelemetry).change(order.id, (order) => ({
    order: cancel(order, new Date()),
    events: [],
  }));
  context.proxy.restore();
  assert.equal((await next).value?.status, "cancelled");
});

test("an order's changes are announced by the commit, never by a rollback", async () => {
  const order = pendingOrder();
  await context.orders.add(order, placed(order));
  using watch = context.changes.watch(order.id);
  // The row of the event is behind the update in the same group.
  await other.query(`
    create function refuse() returns trigger as 'begin raise exception ''refused''; end' language plpgsql;
    create trigger refuse before insert on outbox for each row execute function refuse()`);
  const cancelled = (order: Order) => {
    const next = { ...cancel(order, new Date()), version: 9n };
    return { order: next, events: [{ type: "cancelled", order: next } as const] };
  };
  await assert.rejects(context.orders.change(order.id, cancelled), /refused/);
  await other.query("drop function refuse cascade");
  await context.orders.change(order.id, (order) => ({ order: { ...order, version: 2n }, events: [] }));
  using limit = deadline(10_000);
  await watch.newerThan(1n, limit);
  const stop = new AbortController();
  const heard = watch.newerThan(2n, stop);
  stop.abort(new Error("nothing above 2"));
  await assert.rejects(heard, /nothing above 2/);
});

test("a message that changes no order is not announced", async () => {
  const [ended, changed] = [pendingOrder(), pendingOrder()];
  for (const order of [ended, changed]) await context.orders.add(order, placed(order));
  const listener = await other.listen(channel);
  await Promise.all([
    context.inbox.changeOnce(newMessage(), ended.id, (order) => ({ order, events: [] })),
    context.inbox.changeOnce(newMessage(), changed.id, (order) => ({ order: { ...order, version: 2n }, events: [] })),
  ]);
  const heard: string[] = [];
  for await (const { payload } of listener) {
    heard.push(payload);
    if (payload.startsWith(changed.id)) break;
  }
  assert.deepEqual(
    heard.filter((payload) => payload.startsWith(ended.id)),
    [],
  );
  assert.equal(heard.at(-1), `${changed.id} 2`);
  await listener[Symbol.asyncDispose]();
});

test("expired keys are deleted in bounded batches, and younger ones stay", async () => {
  const order = pendingOrder();
  await context.orders.add(order, placed(order));
  const insert = `insert into idempotency_keys (method, customer_id, key, body_hash, order_id, create_time)
    select 'Prune', 'ada', number::text, '\\x00', $1, now() - make_interval(hours => $2) from generate_series($3::int, $4::int) number`;
  await other.query(insert, [order.id, 25, 1, 25]);
  await other.query(insert, [order.id, 23, 26, 30]);
  const prune = () => pruneKeys(other, { retentionMs: 24 * 3_600_000, batch: 10 });
  assert.deepEqual([await prune(), await prune(), await prune(), await prune()], [10, 10, 5, 0]);
  const left = await other.query("select 1 from idempotency_keys where method = 'Prune'");
  assert.equal(left.length, 5);
});

test("a deleted key can be used for another request", async () => {
  const order = pendingOrder();
  const key = randomUUID();
  await context.orders.add(order, placed(order), { idempotencyKey: { key, bodyHash: Buffer.alloc(32, 1) } });
  await other.query("update idempotency_keys set create_time = now() - interval '25 hours' where key = $1", [key]);
  await pruneKeys(other, { retentionMs: 24 * 3_600_000, batch: 10 });
  const next = pendingOrder({ customerId: order.customerId });
  const idempotencyKey = { key, bodyHash: Buffer.alloc(32, 2) };
  assert.deepEqual(await context.orders.add(next, placed(next), { idempotencyKey }), next);
});

test("the key of a client is removed from orders that no longer count, whichever version answered them", async () => {
  const states = {
    pending: "update_time = now() - interval '1 day'",
    fulfilled: "status = 'fulfilled', currency_code = 'EUR', minor_units = 1",
    rejected: "status = 'rejected'",
    "cancelled now": "status = 'cancelled', update_time = now()",
    "cancelled before": "status = 'cancelled', update_time = now() - interval '2 minutes'",
  };
  const shareKey = `client-${randomUUID().slice(0, 13)}`;
  const names = new Map<string, string>();
  for (const [name, change] of Object.entries(states)) {
    const order = pendingOrder();
    await context.orders.add(order, placed(order), { shareKey });
    names.set(order.id, name);
    // This is what a version does that does not know the column.
    await other.query(`update orders set ${change} where id = $1`, [order.id]);
  }
  assert.equal(await forgetShareKeys(other, { batch: 2 }), 2, "a batch has its bound");
  await forgetShareKeys(other, { batch: 1_000 });
  const kept = await other.query<{ id: string }>("select id from orders where share_key = $1 order by id", [shareKey]);
  assert.deepEqual(
    kept.map(({ id }) => names.get(id)),
    ["pending", "cancelled now"],
  );
});

test("the age of the oldest pending order is reported, and other orders do not count", async () => {
  await using own = await openPostgresContext();
  await using database = await openDatabase({ url: own.url, applicationName: "ages" }, noTelemetry);
  await using telemetry = startTelemetry({ service: "test", logLevel: "error" });
  await using _following = followPending(database, telemetry);
  const age = async () =>
    Number(/^orders_pending_oldest_seconds (.*)$/m.exec((await telemetry.metrics.text()).body)?.[1] ?? Number.NaN);
  assert.equal(await age(), 0);
  for (const change of [
    "update_time = now() - interval '40 minutes'",
    "update_time = now() - interval '10 minutes'",
    "update_time = now() - interval '2 hours', status = 'rejected'",
  ]) {
    const order = pendingOrder();
    await own.orders.add(order, placed(order), { shareKey: "client" });
    await database.query(`update orders set ${change} where id = $1`, [order.id]);
  }
  await eventually(age, (seconds) => seconds >= 2_400 && seconds < 2_700);
  await database.query("update orders set status = 'cancelled' where status = 'pending'");
  await eventually(age, (seconds) => seconds === 0);
});
