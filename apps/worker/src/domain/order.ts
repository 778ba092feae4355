/** An order as the worker sees it: the items to supply, and the outcome. */

import type { OrderId } from "./order-id.ts";

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
}

export interface PlacedOrder {
  readonly id: OrderId;
  readonly customerId: string;
  /** Each SKU occurs once. */
  readonly items: readonly OrderItem[];
}

/** An amount in whole minor units of one currency (ISO 4217), from 0 to 2^63 - 1. */
export interface Money {
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** A supplier's answer for one item. Out of stock is an answer too; a failure is not. */
export type Quote =
  | { readonly status: "in_stock"; readonly unitPrice: Money }
  | { readonly status: "out_of_stock" }
  | { readonly status: "unknown_sku" };

/** The end of an order. */
export type Outcome =
  | { readonly status: "fulfilled"; readonly total: Money; readonly label: Uint8Array }
  /** The reason is fit for the customer. */
  | { readonly status: "rejected"; readonly reason: string }
  /** Cancelled before it was fulfilled: recorded, but not published. */
  | { readonly status: "withheld" };

export interface Fulfilment {
  readonly orderId: OrderId;
  /** The customer whom the label is for. */
  readonly customerId: string;
  readonly outcome: Outcome;
  readonly time: Date;
}
