import { money } from "../domain/money.ts";
import type { Order, OrderItem, OrderStatus } from "../domain/order.ts";

export interface OrderRow {
  readonly id: string;
  readonly customer_id: string;
  readonly items: readonly OrderItem[];
  readonly status: OrderStatus;
  readonly currency_code: string | null;
  readonly minor_units: bigint | null;
  readonly rejection_reason: string;
  readonly version: bigint;
  readonly create_time: Date;
  readonly update_time: Date;
}

export const columns =
  "id, customer_id, items, status, currency_code, minor_units, rejection_reason, version, create_time, update_time";

export function toOrder(row: OrderRow): Order {
  return {
    id: row.id,
    customerId: row.customer_id,
    items: row.items.map(({ sku, quantity }) => ({ sku, quantity })),
    status: row.status,
    total:
      row.currency_code === null || row.minor_units === null ? undefined : money(row.currency_code, row.minor_units),
    rejectionReason: row.rejection_reason,
    version: row.version,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}

/** The values of `columns`, in their order. */
export function toValues(order: Order): unknown[] {
  return [
    order.id,
    order.customerId,
    JSON.stringify(order.items), // An array would go as a Postgres array.
    order.status,
    order.total?.currencyCode ?? null,
    order.total?.minorUnits ?? null,
    order.rejectionReason,
    order.version,
    order.createTime,
    order.updateTime,
  ];
}
