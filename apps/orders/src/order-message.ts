import { type Order as OrderMessage, OrderStatus as Status } from "@plumbline/contracts";
import type { Order, OrderStatus } from "./domain/order.ts";

const statuses: Readonly<Record<OrderStatus, Status>> = {
  pending: Status.ORDER_STATUS_PENDING,
  fulfilled: Status.ORDER_STATUS_FULFILLED,
  rejected: Status.ORDER_STATUS_REJECTED,
  cancelled: Status.ORDER_STATUS_CANCELLED,
};

/** The order as the contract writes it. */
export function toOrderMessage(order: Order): OrderMessage {
  return { ...order, items: [...order.items], status: statuses[order.status] };
}
