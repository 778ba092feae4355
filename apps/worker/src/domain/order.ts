/** An order as the worker sees it: what to supply, and what came of it. */

import type { OrderId } from "./order-id.ts";

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
}

export interface PlacedOrder {
  readonly id: OrderId;
  /** Each sku once. */
  readonly items: readonly OrderItem[];
}

/** Whole minor units of one currency (ISO 4217): 0 to 2^63 - 1, what the contract and the database can carry. */
export interface Money {
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** What a supplier says to one item. That it cannot supply is an answer too; only silence and failures are not. */
export type Quote =
  | { readonly status: "in_stock"; readonly unitPrice: Money }
  | { readonly status: "out_of_stock" }
  | { readonly status: "unknown_sku" };

/** How an order ends here. */
export type Outcome =
  | { readonly status: "fulfilled"; readonly total: Money; readonly label: Uint8Array }
  /** The reason is fit for the customer. */
  | { readonly status: "rejected"; readonly reason: string }
  /** It was cancelled before it could be fulfilled: nothing is said to anybody, and that is recorded. */
  | { readonly status: "withheld" };

export interface Fulfilment {
  readonly orderId: OrderId;
  readonly outcome: Outcome;
  readonly time: Date;
}
