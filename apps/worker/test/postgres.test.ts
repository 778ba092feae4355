import assert from "node:assert/strict";
import { test } from "node:test";
import { deadline } from "@plumbline/concurrency";
import type { Message } from "@plumbline/messaging";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, proxyTo, testDatabase } from "@plumbline/tools-engines";
import type { OrderId } from "../src/domain/order-id.ts";
import { PostgresFulfilments } from "../src/postgres/fulfilments.ts";
import { migrations } from "../src/postgres/migrations.ts";
import { fulfilmentOf, newMessageId, newOrderId, rejected } from "./builders.ts";
import { fulfilmentsContract } from "./fulfilments.ts";
import { openTestDatabase } from "./postgres-store.ts";

fulfilmentsContract("postgres", async () => {
  const opened = await openTestDatabase();
  const { database } = opened;
  return {
    fulfilments: new PostgresFulfilments(database, noTelemetry.tracer),
    // No relay runs here, so the outbox keeps all events.
    announced: () =>
      database.query<Message>(
        `select message_id as id, topic, source, type, key, time, content_type as "contentType", data, headers
         from outbox order by id`,
      ),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
});

test("a failed transaction leaves no row, no event and no record of the message", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const fulfilments = new PostgresFulfilments(database, noTelemetry.tracer);
  const message = newMessageId();
  const orderId = newOrderId();
  await database.query("alter table outbox add constraint closed check (false) not valid");
  await assert.rejects(fulfilments.settle(message, fulfilmentOf(orderId, rejected)), /closed/);
  assert.equal(await fulfilments.statusOf(orderId), "open");
  assert.deepEqual(await database.query("select * from inbox"), []);
  assert.deepEqual(await database.query("select * from outbox"), []);
  await database.query("alter table outbox drop constraint closed");
  await fulfilments.settle(message, fulfilmentOf(orderId, rejected));
  assert.equal((await database.query("select * from outbox")).length, 1);
});

test("a withheld order is recorded", async () => {
  await using opened = await openTestDatabase();
  const fulfilments = new PostgresFulfilments(opened.database, noTelemetry.tracer);
  const orderId = newOrderId();
  await fulfilments.cancel(newMessageId(), { orderId, time: new Date() });
  await fulfilments.settle(newMessageId(), fulfilmentOf(orderId));
  const rows = await opened.database.query("select order_id, status, label from fulfilments");
  assert.deepEqual(rows, [{ order_id: orderId, status: "withheld", label: null }]);
});

test("a label of a row that is older than its customer is for operators only (negative 4)", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const fulfilments = new PostgresFulfilments(database, noTelemetry.tracer);
  const orderId = newOrderId();
  await fulfilments.settle(newMessageId(), fulfilmentOf(orderId));
  await database.query("update fulfilments set customer_id = null");
  for (const owner of ["customer-1", "", "null"]) {
    assert.equal(await fulfilments.label(orderId, { owner }), undefined);
  }
  assert.ok(await fulfilments.label(orderId));
});

test("a second migration changes nothing", async () => {
  await using opened = await openTestDatabase();
  assert.equal(await migrate(opened.database, migrations), 0);
});

test("settling orders takes one round trip to Postgres, and so does asking for their status", async () => {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await testDatabase());
  const proxy = stack.use(await proxyTo(url));
  const options = { url: proxy.url, applicationName: "worker", poolSize: 1, heartbeatMs: 600_000 };
  const database = stack.use(await openDatabase(options, noTelemetry));
  await migrate(database, migrations);
  const fulfilments = new PostgresFulfilments(database, noTelemetry.tracer);
  const tripsOf = async (work: () => Promise<unknown>): Promise<number> => {
    await work(); // The connection prepares the statement.
    const before = proxy.requests();
    await work();
    return proxy.requests() - before;
  };
  assert.equal(await tripsOf(() => fulfilments.settle(newMessageId(), fulfilmentOf(newOrderId()))), 1);
  assert.equal(await tripsOf(() => fulfilments.settle(newMessageId(), fulfilmentOf(newOrderId(), rejected))), 1);
  assert.equal(await tripsOf(() => fulfilments.statusOf(newOrderId())), 1);
  const ten = () => Array.from({ length: 10 }, newOrderId);
  const settle = (id: OrderId) => fulfilments.settle(newMessageId(), fulfilmentOf(id));
  assert.equal(await tripsOf(() => Promise.all(ten().map(settle))), 1);
  assert.equal(await tripsOf(() => Promise.all(ten().map((id) => fulfilments.statusOf(id)))), 1);
});

test("an order that cannot be stored fails alone among those that are settled at once", async () => {
  await using opened = await openTestDatabase();
  const fulfilments = new PostgresFulfilments(opened.database, noTelemetry.tracer);
  const ids = Array.from({ length: 6 }, newOrderId);
  const [bad = newOrderId(), cancelled = newOrderId(), ...good] = ids;
  await fulfilments.cancel(newMessageId(), { orderId: cancelled, time: new Date() });
  const outcomes = await Promise.allSettled(
    ids.map((id) => {
      const outcome = id === bad ? ({ status: "rejected", reason: "no text: \0" } as const) : undefined;
      return fulfilments.settle(newMessageId(), fulfilmentOf(id, outcome));
    }),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", ...Array(5).fill("fulfilled")],
  );
  assert.deepEqual(await Promise.all(ids.map((id) => fulfilments.statusOf(id))), ["open", ...Array(5).fill("settled")]);
  const events = await opened.database.query<{ key: string }>("select key from outbox");
  assert.deepEqual(events.map(({ key }) => key).sort(), good.toSorted());
  assert.equal((await opened.database.query("select * from inbox")).length, 6); // With the cancel.
});

test("orders that wait for a message's record are given up with their calls, and later ones go on", async () => {
  await using opened = await openTestDatabase();
  const fulfilments = new PostgresFulfilments(opened.database, noTelemetry.tracer);
  const [stuck, free] = [newOrderId(), newOrderId()];
  await opened.database.session(async (session) => {
    const { source, id } = newMessageId();
    await session.query("begin");
    await session.query("insert into inbox (\"group\", source, id) values ('worker', $1, $2)", [source, id]);
    using limit = deadline(500);
    const late = assert.rejects(fulfilments.settle({ source, id }, fulfilmentOf(stuck), limit), {
      name: "TimeoutError",
    });
    await fulfilments.statusOf(stuck); // Its statement is another.
    const next = fulfilments.settle(newMessageId(), fulfilmentOf(free));
    await late;
    await next;
    await session.query("rollback");
  });
  assert.deepEqual(await Promise.all([stuck, free].map((id) => fulfilments.statusOf(id))), ["open", "settled"]);
});

test("the same messages at two replicas, in opposite orders, do not deadlock", async () => {
  await using opened = await openTestDatabase();
  const { database } = opened;
  const orders = Array.from({ length: 9 }, () => ({ orderId: newOrderId(), message: newMessageId() }));
  const settleAll = (all: typeof orders) => {
    const replica = new PostgresFulfilments(database, noTelemetry.tracer);
    return all.map(({ orderId, message }) => replica.settle(message, fulfilmentOf(orderId, rejected)));
  };
  const count = async (sql: string) => (await database.query<{ count: bigint }>(sql))[0]?.count;
  await database.session(async (session) => {
    // Both wait in the midst of their messages.
    const { source, id } = orders[4]?.message ?? newMessageId();
    await session.query("begin");
    await session.query("insert into inbox (\"group\", source, id) values ('worker', $1, $2)", [source, id]);
    const settled = Promise.all([...settleAll(orders), ...settleAll(orders.toReversed())]);
    await eventually(
      () =>
        count(`select count(*) as count from pg_stat_activity
          where wait_event_type = 'Lock' and datname = current_database()`),
      (waiting) => waiting === 2n,
    );
    await session.query("rollback");
    await settled;
  });
  assert.equal(await count("select count(*) as count from outbox"), 9n);
  // A deadlock fails a batch, whose messages are then handled one by one.
  assert.equal(await count("select deadlocks as count from pg_stat_database where datname = current_database()"), 0n);
});

test("orders that are asked for at once have each their own status", async () => {
  await using opened = await openTestDatabase();
  const fulfilments = new PostgresFulfilments(opened.database, noTelemetry.tracer);
  const [open, settled, cancelled, both] = [newOrderId(), newOrderId(), newOrderId(), newOrderId()];
  for (const id of [settled, both]) await fulfilments.settle(newMessageId(), fulfilmentOf(id, rejected));
  for (const id of [cancelled, both]) await fulfilments.cancel(newMessageId(), { orderId: id, time: new Date() });
  assert.deepEqual(await Promise.all([both, open, cancelled, settled, open].map((id) => fulfilments.statusOf(id))), [
    "settled",
    "open",
    "cancelled",
    "settled",
    "open",
  ]);
});
