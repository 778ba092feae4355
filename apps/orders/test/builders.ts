import { randomBytes, randomUUID } from "node:crypto";
import { newOrderId } from "../src/app.ts";
import { newOrder, type Order, type OrderItem } from "../src/domain/order.ts";
import type { OrderId } from "../src/domain/order-id.ts";
import type { OrderEvent } from "../src/use-cases/ports.ts";

/** Returns the id of a new customer, since tests share a database. */
export const newCustomer = (): string => `customer-${randomBytes(8).toString("hex")}`;

export function pendingOrder(fields: { id?: OrderId; customerId?: string; items?: readonly OrderItem[] } = {}): Order {
  const { id = newOrderId(), customerId = newCustomer(), items = [{ sku: "tea", quantity: 2 }] } = fields;
  return newOrder(id, { customerId, items }, new Date());
}

export const placed = (order: Order): readonly OrderEvent[] => [{ type: "placed", order }];

/** Returns what the inbox knows a message of worker by. */
export const newMessage = () => ({ id: randomUUID(), source: "/plumbline/worker" });

/** Decides that an order gets its next version, and publishes nothing. */
export const nextVersion = (order: Order) => ({ order: { ...order, version: order.version + 1n }, events: [] });
