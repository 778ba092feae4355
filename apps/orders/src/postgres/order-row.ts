import { money } from "../domain/money.ts";
import type { Order, OrderItem, OrderStatus } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";

export interface OrderRow {
  readonly id: OrderId;
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

/** The table: each column with the value that an order has in it. */
const valueOf: { readonly [Column in keyof OrderRow]: (order: Order) => unknown } = {
  id: ({ id }) => id,
  customer_id: ({ customerId }) => customerId,
  items: ({ items }) => JSON.stringify(items), // pg would write an array as a Postgres array.
  status: ({ status }) => status,
  currency_code: ({ total }) => total?.currencyCode ?? null,
  minor_units: ({ total }) => total?.minorUnits ?? null,
  rejection_reason: ({ rejectionReason }) => rejectionReason,
  version: ({ version }) => version,
  create_time: ({ createTime }) => createTime,
  update_time: ({ updateTime }) => updateTime,
};

const names = Object.keys(valueOf) as (keyof OrderRow)[];

/** The columns of a select or an insert. */
export const columns = names.join(", ");

/** The placeholders of an insert, in the order of `columns`. */
export const placeholders = names.map((_, index) => `$${index + 1}`).join(", ");

/** Returns the values of an insert, in the order of `columns`. */
export function toValues(order: Order): unknown[] {
  return names.map((name) => valueOf[name](order));
}

/** The columns that change during the life of an order, after its id, with their types. */
const changing = {
  id: "uuid",
  status: "text",
  currency_code: "text",
  minor_units: "bigint",
  rejection_reason: "text",
  version: "bigint",
  update_time: "timestamptz",
} as const satisfies Partial<Record<keyof OrderRow, string>>;

/** The columns of `toChange`. */
export const changingColumns = Object.keys(changing) as (keyof typeof changing)[];

/** The types of `changingColumns`. */
export const changingTypes: readonly string[] = Object.values(changing);

/** Returns the assignments of an update, by the SQL of each column's new value. */
export function assignments(newValue: (column: keyof typeof changing, index: number) => string): string {
  const all = changingColumns.map((name, index) => `${name} = ${newValue(name, index)}`).slice(1);
  const isAnswered = `${newValue("status", changingColumns.indexOf("status"))} in ('fulfilled', 'rejected')`;
  return `${all.join(", ")}, share_key = case when ${isAnswered} then '' else orders.share_key end`;
}

/** Returns the id of a changed order, then its values for the other `changingColumns`. */
export function toChange(order: Order): unknown[] {
  return changingColumns.map((name) => valueOf[name](order));
}

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
