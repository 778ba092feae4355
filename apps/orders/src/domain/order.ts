/**
 * An order and its transitions. Each function is pure: it takes an order and returns the next one,
 * or the same object if nothing changes. The first terminal status is final.
 *
 *     pending -> fulfilled | rejected | cancelled
 */
import { bounds, type Violation, violationsOf } from "@plumbline/contracts/bounds";
import type { Money } from "./money.ts";
import type { OrderId } from "./order-id.ts";

export type { Violation };

export type OrderStatus = "pending" | "fulfilled" | "rejected" | "cancelled";

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
}

export interface Order {
  readonly id: OrderId;
  readonly customerId: string;
  readonly items: readonly OrderItem[];
  readonly status: OrderStatus;
  /** The sum of the suppliers' prices, once fulfilled. Clients name no prices. */
  readonly total: Money | undefined;
  /** The reason of a rejection, fit for the customer. Empty otherwise. */
  readonly rejectionReason: string;
  /** Starts at 1 and grows by one with each change. */
  readonly version: bigint;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** The end that the suppliers' answers give an order: fulfilled for a price, or rejected. */
export type Outcome =
  | { readonly status: "fulfilled"; readonly total: Money }
  | { readonly status: "rejected"; readonly reason: string };

/** The error for a request that describes no order. Lists its first `mostViolations` problems. */
export class InvalidOrderError extends Error {
  override readonly name = "InvalidOrderError";
  readonly violations: readonly Violation[];
  constructor(violations: readonly Violation[]) {
    super("the order is not valid");
    this.violations = violations;
  }
}

export class OrderAlreadyFulfilledError extends Error {
  override readonly name = "OrderAlreadyFulfilledError";
}

export class OrderAlreadyRejectedError extends Error {
  override readonly name = "OrderAlreadyRejectedError";
}

const mostReasonLength = 1_000;
const mostViolations = 20;

/** The part of an order that its customer decides. */
export type OrderRequest = Pick<Order, "customerId" | "items">;

/** Creates a pending order of version 1. Throws InvalidOrderError with all problems. */
export function newOrder(id: OrderId, request: OrderRequest, now: Date): Order {
  const violations = [
    ...violationsOf("orders.v1.PlaceOrderRequest", request),
    ...nameViolations(request.customerId),
    ...repeatedSkus(request.items),
  ];
  if (violations.length > 0) throw new InvalidOrderError(violations.slice(0, mostViolations));
  return {
    ...request,
    items: request.items.map(({ sku, quantity }) => ({ sku, quantity })),
    id,
    status: "pending",
    total: undefined,
    rejectionReason: "",
    version: 1n,
    createTime: now,
    updateTime: now,
  };
}

/** Returns a violation if the id of a customer cannot be stored and logged. */
export function nameViolations(customerId: string): Violation[] {
  // Postgres cannot store U+0000, and a control character in a logged name may forge a line.
  return /\p{Cc}/u.test(customerId)
    ? [{ field: "customerId", description: "must not contain control characters" }]
    : [];
}

/**
 * Returns a violation for each sku that another item has already. Too many items are not looked at.
 */
function repeatedSkus(items: readonly OrderItem[]): Violation[] {
  if (items.length > bounds["orders.v1.PlaceOrderRequest"].items.most) return [];
  const firstOf = new Map<string, number>();
  return items.flatMap(({ sku }, index) => {
    const first = firstOf.get(sku) ?? index;
    firstOf.set(sku, first);
    return first === index
      ? []
      : [{ field: `items[${index}].sku`, description: `must differ from items[${first}].sku` }];
  });
}

/** Returns the work of an order in requests to suppliers: one for each item. */
export function costOf({ items }: Pick<Order, "items">): number {
  return items.length;
}

/** Returns true if the order has ended. */
export function isTerminal(order: Order): boolean {
  return order.status !== "pending";
}

/**
 * Cancels the order. Returns a cancelled order unchanged, so that a client which lost the reply can
 * retry. Throws OrderAlreadyFulfilledError or OrderAlreadyRejectedError.
 */
export function cancel(order: Order, now: Date): Order {
  if (order.status === "fulfilled") throw new OrderAlreadyFulfilledError("the order is fulfilled already");
  if (order.status === "rejected") throw new OrderAlreadyRejectedError("the order is rejected already");
  return order.status === "cancelled" ? order : change(order, { status: "cancelled" }, now);
}

/**
 * Ends the order with an outcome. An ended order stays as it is: the outcome is late or repeated.
 */
export function settle(order: Order, outcome: Outcome, now: Date): Order {
  if (isTerminal(order)) return order;
  return outcome.status === "fulfilled"
    ? change(order, { status: "fulfilled", total: outcome.total }, now)
    : change(order, { status: "rejected", rejectionReason: outcome.reason.slice(0, mostReasonLength) }, now);
}

/** Returns the order as it was when placed, which is the reply to a repeated request. */
export function asPlaced(order: Order): Order {
  return {
    ...order,
    status: "pending",
    total: undefined,
    rejectionReason: "",
    version: 1n,
    updateTime: order.createTime,
  };
}

function change(order: Order, fields: Partial<Order>, now: Date): Order {
  // Clocks of two machines differ, but time must not run backwards between two versions.
  const updateTime = now < order.updateTime ? order.updateTime : now;
  return { ...order, ...fields, version: order.version + 1n, updateTime };
}
