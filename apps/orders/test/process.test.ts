/** The program as it is deployed: its start, its end, and the data that survives a kill. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before } from "node:test";
import { OrderPlaced, OrderStatus } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { type Broker, type Message, openPostgresBroker } from "@plumbline/messaging";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, type Proxy, proxyTo, testDatabase } from "@plumbline/tools-engines";
import { newCustomer } from "./builders.ts";
import { runOrders, startOrders } from "./orders-process.ts";
import { answer, type OrdersClient } from "./service.ts";

const stack = new AsyncDisposableStack();
let database: Database;
let broker: Broker;
let proxy: Proxy;
let environment: Record<string, string>;
const received: Message[] = [];

before(async () => {
  const orders = stack.use(await testDatabase());
  const messaging = stack.use(await testDatabase());
  proxy = stack.use(await proxyTo(messaging.url));
  environment = { ORDERS_DATABASE_URL: orders.url, ORDERS_MESSAGING_URL: proxy.url, ORDERS_RELAY_STANDBY_MS: "50" };
  const { code, output } = await runOrders(environment, ["migrate"]);
  assert.equal(code, 0, output);
  database = stack.use(await openDatabase({ url: orders.url, applicationName: "test" }, noTelemetry));
  broker = stack.use(await openPostgresBroker({ url: messaging.url }, noTelemetry));
  stack.use(
    await broker.subscribe(
      "orders.events",
      async ({ message }) => {
        received.push(message);
      },
      { group: "test", concurrency: 1 },
    ),
  );
});
after(() => stack.disposeAsync());

const tea = [{ sku: "tea", quantity: 1 }];
const eventsOf = (orderId: string) => received.filter(({ key }) => key === orderId);

/** Resolves once the outbox is empty and all its messages were received. */
async function settled(): Promise<void> {
  const rows = (): Promise<unknown[]> => database.query("select 1 from outbox limit 1");
  await eventually(rows, (left) => left.length === 0);
  const fence = randomUUID();
  await broker.publish(
    "orders.events",
    Array.from({ length: 60 }, () => fenceMessage(fence)),
  );
  await eventually(
    () => received.filter(({ type }) => type === fence).length,
    (count) => count === 60,
  );
}

/**
 * Creates a message with a random key. Enough of them reach every partition, after all before them.
 */
const fenceMessage = (type: string): Message => ({ ...answer(randomUUID(), { reason: "fence" }), type });

test("a second migration finds nothing to do", async () => {
  const { code, output } = await runOrders(environment, ["migrate"]);
  assert.equal(code, 0, output);
  assert.match(output, /"applied":0/);
});

test("after a rollback the migration accepts a database that a later version has migrated", async () => {
  await using later = await testDatabase();
  const older = { ...environment, ORDERS_DATABASE_URL: later.url };
  const first = await runOrders(older, ["migrate"]);
  assert.equal(first.code, 0, first.output);
  await using ahead = await openDatabase({ url: later.url, applicationName: "test" }, noTelemetry);
  await ahead.query("insert into schema_migrations (id, name, checksum) values (9999, 'later', 'x')");
  const again = await runOrders(older, ["migrate"]);
  assert.equal(again.code, 0, again.output);
  assert.match(again.output, /"applied":0/);
});

test("every setting that is missing or unknown is named at once, and no secret is printed", async () => {
  const { code, output } = await runOrders({
    ORDERS_RPC_PORT: "many",
    ORDERS_DATABSE_URL: "postgresql://a:hunter2@b/c",
  });
  assert.equal(code, 1);
  for (const name of ["ORDERS_RPC_PORT", "ORDERS_DATABSE_URL", "ORDERS_DATABASE_URL", "database.url"]) {
    assert.ok(output.includes(name), output);
  }
  assert.ok(!output.includes("hunter2") && !output.includes("    at "), output);
});

test("it refuses to start on a database that is not migrated, and says what to do", async () => {
  await using empty = await testDatabase();
  const { code, output } = await runOrders({ ...environment, ORDERS_DATABASE_URL: empty.url });
  assert.equal(code, 1);
  assert.match(output, /the database lacks migration 1 \(orders\).*"migrate"/);
});

test("an unknown argument is refused with exit code 2", async () => {
  const { code, output } = await runOrders(environment, ["migrat"]);
  assert.equal(code, 2);
  assert.match(output, /^orders: unknown argument "migrat": .* "migrate"/);
});

test("an order is placed, published and fulfilled by the worker's event, and the ops port reports ready", async () => {
  await using orders = await startOrders(environment);
  const ready = await fetch(`http://127.0.0.1:${orders.opsPort}/readyz`);
  assert.equal(ready.status, 200);
  const { id: orderId } = await orders.client.placeOrder({ customerId: newCustomer(), items: tea });
  const [placed] = await eventually(
    () => eventsOf(orderId),
    (events) => events.length > 0,
  );
  assert.ok(placed !== undefined);
  assert.equal(placed.type, "orders.v1.OrderPlaced");
  assert.deepEqual(OrderPlaced.decode(placed.data).items, tea);
  assert.match(placed.headers["traceparent"] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  await broker.publish("fulfilment.events", [answer(orderId, { minorUnits: 900n })]);
  const seen = await Array.fromAsync(orders.client.watchOrder({ orderId, afterVersion: 0n }));
  assert.equal(seen.at(-1)?.status, OrderStatus.ORDER_STATUS_FULFILLED);
  assert.equal(seen.at(-1)?.total?.minorUnits, 900n);
  const metrics = await (await fetch(`http://127.0.0.1:${orders.opsPort}/metrics`)).text();
  assert.match(metrics, /orders_watchers/);
});

test("after a kill between commit and relay, it publishes the order once when it restarts", async () => {
  const placedIds: string[] = [];
  {
    await using orders = await startOrders(environment);
    proxy.cut();
    for (let count = 0; count < 5; count++) {
      placedIds.push((await orders.client.placeOrder({ customerId: newCustomer(), items: tea })).id);
    }
    assert.deepEqual(await orders.process.end("SIGKILL"), [null, "SIGKILL"]);
  }
  proxy.restore();
  assert.equal((await database.query("select 1 from outbox")).length, 5, "committed");
  assert.deepEqual(placedIds.flatMap(eventsOf), [], "and not relayed");

  await using _again = await startOrders(environment);
  await settled();
  for (const id of placedIds) {
    assert.deepEqual(
      eventsOf(id).map(({ type }) => type),
      ["orders.v1.OrderPlaced"],
    );
  }
});

test("after a kill at any moment of placing, a repeat with the key returns the one order, published with one id", async () => {
  const customerId = newCustomer();
  const keys = Array.from({ length: 60 }, () => randomUUID());
  const place = (client: OrdersClient, key: string) =>
    client.placeOrder({ customerId, items: tea }, { metadata: { "idempotency-key": key } });
  const first = new Map<string, string>();
  for (let round = 0; round < 3; round++) {
    await using orders = await startOrders(environment);
    let answered = 0;
    const calls = keys.slice(round * 20, round * 20 + 20).map(async (key) => {
      const { id } = await place(orders.client, key);
      first.set(key, id);
      // At this moment some are committed and answered, some committed, some not begun.
      if (++answered === 5) orders.process.child.kill("SIGKILL");
    });
    await Promise.allSettled(calls);
    assert.deepEqual(await orders.process.exited, [null, "SIGKILL"]);
  }
  assert.ok(first.size >= 15 && first.size <= 60);

  await using orders = await startOrders(environment);
  const ids = new Set<string>();
  for (const key of keys) {
    const { id } = await place(orders.client, key);
    ids.add(id);
    assert.equal(id, first.get(key) ?? id, "the order that was answered before");
  }
  assert.equal(ids.size, keys.length);
  const stored = await database.query<{ id: string }>("select id from orders where customer_id = $1", [customerId]);
  assert.deepEqual(new Set(stored.map(({ id }) => id)), ids);
  await settled();
  for (const id of ids) {
    // A relay killed between sending and deleting sends the same message again, which inboxes know.
    assert.equal(new Set(eventsOf(id).map((message) => message.id)).size, 1);
  }
});

test("after SIGTERM under load it answers every accepted request, ends streams as unavailable and exits with 0", async () => {
  await using orders = await startOrders(environment);
  const customerId = newCustomer();
  const { id: watched } = await orders.client.placeOrder({ customerId: newCustomer(), items: tea });
  const stream = orders.client.watchOrder({ orderId: watched, afterVersion: 0n })[Symbol.asyncIterator]();
  await stream.next();
  const streamEnded = assert.rejects(stream.next(), (error) => codeOf(error) === "unavailable");

  const answered = new Set<string>();
  async function load(): Promise<void> {
    for (;;) {
      try {
        answered.add((await orders.client.placeOrder({ customerId, items: tea })).id);
      } catch (error) {
        // A refused request must not have stored anything.
        assert.equal(codeOf(error), "unavailable");
        return;
      }
    }
  }
  const loads = Array.from({ length: 32 }, load);
  await eventually(
    () => answered.size,
    (size) => size > 100,
  );
  const began = performance.now();
  assert.deepEqual(await orders.process.end("SIGTERM"), [0, null], orders.process.output());
  assert.ok(performance.now() - began < 10_000);
  await Promise.all(loads);
  await streamEnded;

  const stored = await database.query<{ id: string }>("select id from orders where customer_id = $1", [customerId]);
  assert.deepEqual(new Set(stored.map(({ id }) => id)), answered, "stored and answered are the same orders");
});
