/**
 * Fulfils or rejects the orders of bare-orders.js with the work of our worker: a quote for each
 * item, a label, a row, an event. bare-orders.js lists what is missing.
 */
import { createServer } from "node:net";
import { drawLabel } from "../../../apps/worker/src/labels/draw-label.ts";
import { connectKafka, consume, pool } from "./bare-kafka.js";

await pool.query(`create table if not exists fulfilments (
  order_id uuid primary key, status text not null, currency_code text, minor_units bigint, label bytea,
  time timestamptz not null
)`);

const { kafka, producer } = await connectKafka("bare-worker");
await consume(kafka, "bare.placed", async ({ orderId, items }) => {
  const quotes = await Promise.all(
    items.map(async ({ sku, quantity }) => {
      const answer = await fetch(`${process.env["SUPPLIER"]}/v1/quotes/${sku}?quantity=${quantity}`);
      const { inStock, unitPrice } = await answer.json();
      return { inStock, currencyCode: unitPrice.currencyCode, minorUnits: Number(unitPrice.minorUnits) * quantity };
    }),
  );
  const isFulfilled = quotes.every(({ inStock }) => inStock);
  const status = isFulfilled ? "fulfilled" : "rejected";
  const currencyCode = isFulfilled ? quotes[0].currencyCode : null;
  const minorUnits = isFulfilled ? quotes.reduce((sum, quote) => sum + quote.minorUnits, 0) : null;
  const label = isFulfilled ? drawLabel({ orderId, items }) : null;
  // Without this, a redelivered message would stop its partition at the primary key.
  await pool.query({
    name: "settle",
    text: `insert into fulfilments (order_id, status, currency_code, minor_units, label, time) values ($1, $2, $3, $4, $5, now())
           on conflict do nothing`,
    values: [orderId, status, currencyCode, minorUnits, label],
  });
  await producer.send({
    topic: "bare.answers",
    messages: [{ key: orderId, value: JSON.stringify({ orderId, status, currencyCode, minorUnits }) }],
  });
});

createServer((socket) => socket.destroy()).listen(Number(process.env["PORT"]), "127.0.0.1"); // Ready.
