/** The program on Apache Kafka: the same promises, another setting. */
import assert from "node:assert/strict";
import test from "node:test";
import { OrderStatus } from "@plumbline/contracts";
import { connectBroker, type Message } from "@plumbline/messaging";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, testDatabase, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { newCustomer } from "./builders.ts";
import { runOrders, startOrders } from "./orders-process.ts";
import { answer } from "./service.ts";

test("over Kafka an order is announced, answered and fulfilled", { skip: whyNoKafka() ?? false }, async () => {
  const brokers = await testKafka();
  await using database = await testDatabase();
  const environment = {
    ORDERS_DATABASE_URL: database.url,
    ORDERS_MESSAGING_ADAPTER: "kafka",
    ORDERS_KAFKA_BROKERS: brokers,
  };
  const { code, output } = await runOrders(environment, ["migrate"]);
  assert.equal(code, 0, output);
  const kafka = { brokers: brokers.split(","), clientId: "test" };
  await using broker = await connectBroker({ adapter: "kafka", kafka }, noTelemetry);
  const received: Message[] = [];
  const group = `test-${newCustomer()}`;
  await broker.subscribe("orders.events", async ({ message }) => void received.push(message), {
    group,
    concurrency: 1,
  });

  await using orders = await startOrders(environment);
  const { id: orderId } = await orders.client.placeOrder({
    customerId: newCustomer(),
    items: [{ sku: "tea", quantity: 1 }],
  });
  await eventually(
    () => received.filter(({ key }) => key === orderId).map(({ type }) => type),
    (types) => types.length > 0,
    30_000,
  );
  await broker.publish("fulfilment.events", [answer(orderId, { minorUnits: 900n })]);
  const seen = await Array.fromAsync(orders.client.watchOrder({ orderId, afterVersion: 0n }, { timeoutMs: 30_000 }));
  assert.equal(seen.at(-1)?.status, OrderStatus.ORDER_STATUS_FULFILLED);
  assert.deepEqual(await orders.process.end("SIGTERM"), [0, null], orders.process.output());
});
