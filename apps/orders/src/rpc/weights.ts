import type { CallWeights } from "@plumbline/rpc";
import { maxPageBytes } from "../use-cases/list-orders.ts";

/**
 * The memory that pages may take together. A page is at once rows, orders, messages and octets of
 * the answer, which together take eight times the octets of its items.
 */
export const weights: CallWeights = {
  maxBytes: 16 * 1024 * 1024,
  of: { "orders.v1.OrdersService/ListOrders": maxPageBytes * 8 },
};
