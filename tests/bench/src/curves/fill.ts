import { orderPlaced, ordersEvents } from "@plumbline/contracts";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import type { System } from "../orders/systems.ts";

/** A customer with many orders, beside the others with `ordersOfEach`. */
export const crowded = { customerId: "crowded", orders: 10_000 } as const;
const ordersOfEach = 10;
/** The rows of one statement. */
const chunk = 100_000;

/** The databases of one system, opened as their owners. */
export interface Stores extends AsyncDisposable {
  readonly orders: Database;
  readonly worker: Database;
}

export async function openStores({ databaseUrl, workerUrl }: System): Promise<Stores> {
  await using stack = new AsyncDisposableStack();
  const open = async (url: string): Promise<Database> =>
    stack.use(await openDatabase({ url, applicationName: "bench", poolSize: 1 }, noTelemetry));
  const stores = { orders: await open(databaseUrl), worker: await open(workerUrl) };
  const owned = stack.move();
  return { ...stores, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Stores `count` more fulfilled orders as the system leaves them: the order, its fulfilment with a
 * label, and the row of its event in the inbox of each side.
 */
export async function addOrders(stores: Stores, count: number, customerId?: string): Promise<void> {
  for (let left = count; left > 0; left -= chunk) {
    const rows = Math.min(left, chunk);
    const owners = `stored-${crypto.randomUUID()}-`;
    await stores.orders.query(ordersSql, [rows, customerId ?? null, ordersOfEach, owners]);
    await stores.worker.query(fulfilmentsSql, [rows, customerId ?? "stored"]);
    for (const [store, group] of [
      [stores.orders, "orders"],
      [stores.worker, "worker"],
    ] as const) {
      await store.query(inboxSql, [group, rows]);
    }
  }
  // Autovacuum does the same after a while.
  for (const store of [stores.orders, stores.worker]) await store.query("vacuum (analyze)");
}

/** Returns a customer with `ordersOfEach` stored orders. */
export async function someCustomer({ orders }: Stores): Promise<string> {
  const sql = "select customer_id as id from orders where customer_id like 'stored-%' limit 1";
  const [row] = await orders.query<{ id: string }>(sql);
  return row?.id ?? crowded.customerId;
}

/** Stores `count` events that no relay has published yet, and wakes the relay. */
export async function addToOutbox({ orders }: Stores, count: number): Promise<void> {
  const orderId = "0197e8f0-0000-7000-8000-000000000000";
  const time = new Date();
  const items = [{ sku: "tea", quantity: 2 }];
  const data = orderPlaced.encode({ orderId, customerId: "stored", items, version: 1n, occurTime: time });
  // One transaction: the relay begins when all of them are there.
  await orders.transaction(async (tx) => {
    for (let left = count; left > 0; left -= chunk) {
      const values = [Math.min(left, chunk), ordersEvents.topic, orderPlaced.type, Buffer.from(data)];
      await tx.query(outboxSql, values);
    }
    await tx.query("select pg_notify('plumbline_outbox', '')");
  });
}

export async function waiting({ orders }: Stores): Promise<number> {
  const [row] = await orders.query<{ count: number }>("select count(*)::int as count from outbox");
  return row?.count ?? 0;
}

const ordersSql = `
  insert into orders (id, customer_id, items, status, currency_code, minor_units, version, create_time, update_time)
  select uuidv7(), coalesce($2::text, $4::text || n / $3::int),
    '[{"sku": "tea", "quantity": 2}]', 'fulfilled', 'EUR', 998, 2, now(), now()
  from generate_series(1, $1::int) as n`;

const fulfilmentsSql = `
  insert into fulfilments (order_id, status, currency_code, minor_units, label, time, customer_id)
  select uuidv7(), 'fulfilled', 'EUR', 998, decode(repeat('5a', 1000), 'hex'), now(), $2::text
  from generate_series(1, $1::int)`;

const inboxSql = `
  insert into inbox ("group", source, id)
  select $1::text, '/plumbline/stored', uuidv7()::text from generate_series(1, $2::int)`;

const outboxSql = `
  insert into outbox (topic, message_id, source, type, key, time, content_type, data, headers)
  select $2::text, id, '/plumbline/orders', $3::text, id, now(), 'application/protobuf', $4::bytea, '{}'
  from (select uuidv7()::text as id from generate_series(1, $1::int)) as made`;
