/**
 * Orders by hand on kafkajs and pg, as in their documentation: a row, an event, and an update after
 * the response event. It reports "placed" once the row is committed and the event is on the broker,
 * as durable as ours. It lacks:
 * - an outbox: a process that dies between the two leaves an order without an event
 * - an inbox: a message that is delivered twice is handled twice
 * - idempotency keys, rules, deadlines, retry topics, dead letters, an order of versions, watchers,
 *   logs, metrics and traces
 */
import { randomUUIDv7 } from "node:crypto";
import { loadPackageDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { connectKafka, consume, createTopics, pool } from "./bare-kafka.js";
import { loaderOptions, root } from "./client.js";

await pool.query(`create table if not exists orders (
  id uuid primary key, customer_id text not null, items jsonb not null, status text not null,
  currency_code text, minor_units bigint, create_time timestamptz not null, update_time timestamptz not null
)`);
await pool.query("create index if not exists orders_by_customer on orders (customer_id, id desc)");

const { kafka, producer } = await connectKafka("bare-orders");
await createTopics(kafka, ["bare.placed", "bare.answers"]);
await consume(kafka, "bare.answers", async ({ orderId, status, currencyCode, minorUnits }) => {
  await pool.query({
    name: "settle",
    text: `update orders set status = $2, currency_code = $3, minor_units = $4, update_time = clock_timestamp()
           where id = $1`,
    values: [orderId, status, currencyCode, minorUnits],
  });
});

async function placeOrder({ customerId, items }) {
  const id = randomUUIDv7();
  await pool.query({
    name: "place",
    text: "insert into orders (id, customer_id, items, status, create_time, update_time) values ($1, $2, $3, 'pending', now(), now())",
    values: [id, customerId, JSON.stringify(items)],
  });
  await producer.send({
    topic: "bare.placed",
    messages: [{ key: id, value: JSON.stringify({ orderId: id, customerId, items }) }],
  });
  return { id, customerId, items, status: "ORDER_STATUS_PENDING", version: 1 };
}

const { orders } = loadPackageDefinition(loadSync(`${root}protos/orders/v1/orders.proto`, loaderOptions));
const server = new Server();
server.addService(orders.v1.OrdersService.service, {
  async placeOrder({ request }, callback) {
    try {
      callback(null, await placeOrder(request));
    } catch (error) {
      callback(error);
    }
  },
});
server.bindAsync(`127.0.0.1:${process.env["PORT"]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
