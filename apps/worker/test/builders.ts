import { randomBytes, randomUUID } from "node:crypto";
import { orderCancelled, orderPlaced } from "@plumbline/contracts";
import { eventMessage, type Message } from "@plumbline/messaging";
import type { Fulfilment, Outcome } from "../src/domain/order.ts";
import type { OrderId } from "../src/domain/order-id.ts";

/** Returns a new version 7 UUID, since tests share a database. */
export function newOrderId(): OrderId {
  const hex = Date.now().toString(16).padStart(12, "0") + randomBytes(10).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}` as OrderId;
}

export const newMessageId = () => ({ id: randomUUID(), source: "/plumbline/orders" });

const time = new Date("2026-01-02T03:04:05.678Z");

export function placedMessage(orderId: string, items: Readonly<Record<string, number>> = { tea: 2 }): Message {
  const event = {
    orderId,
    customerId: "customer-1",
    items: Object.entries(items).map(([sku, quantity]) => ({ sku, quantity })),
    version: 1n,
    occurTime: time,
  };
  return eventMessage(orderPlaced, event, { source: "/plumbline/orders", key: orderId, time });
}

export function cancelledMessage(orderId: string): Message {
  const event = { orderId, version: 2n, occurTime: time };
  return eventMessage(orderCancelled, event, { source: "/plumbline/orders", key: orderId, time });
}

export const fulfilled: Outcome = {
  status: "fulfilled",
  total: { currencyCode: "EUR", minorUnits: 2n ** 63n - 1n },
  label: new Uint8Array([0, 1, 2, 255]),
};
export const rejected: Outcome = { status: "rejected", reason: "out of stock: oolong" };

export const fulfilmentOf = (orderId: OrderId, outcome: Outcome = fulfilled): Fulfilment => ({
  orderId,
  customerId: "customer-1",
  outcome,
  time,
});
