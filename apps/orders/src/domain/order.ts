/**
 * What an order is and may become. Pure: a function takes an order and returns the next one, or the same object where
 * nothing changes. The first terminal status wins; nothing here can undo it.
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
  /** Known once fulfilled, from the suppliers' prices: a client never names one. */
  readonly total: Money | undefined;
  /** Why it was rejected, fit for the customer; empty otherwise. */
  readonly rejectionReason: string;
  /** Starts at 1 and grows by one with each change. */
  readonly version: bigint;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** What the suppliers answered: the price of everything, or why it cannot be had. */
export type Outcome =
  | { readonly status: "fulfilled"; readonly total: Money }
  | { readonly status: "rejected"; readonly reason: string };

/** The request describes no order. Lists every problem, the first `mostViolations` of them. */
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

/** Returns a violation for each sku that another item has already. Too many items are not looked at. */
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

/** Whether nothing can change the order any more. */
export function isTerminal(order: Order): boolean {
  return order.status !== "pending";
}

/**
 * The customer ends the order. Cancelling a cancelled order returns it as it is, so a client that lost the answer can
 * simply ask again. Throws OrderAlreadyFulfilledError or OrderAlreadyRejectedError.
 */
export function cancel(order: Order, now: Date): Order {
  if (order.status === "fulfilled") throw new OrderAlreadyFulfilledError("the order is fulfilled already");
  if (order.status === "rejected") throw new OrderAlreadyRejectedError("the order is rejected already");
  return order.status === "cancelled" ? order : change(order, { status: "cancelled" }, now);
}

/** The suppliers have answered. An order that has ended stays as it is: the answer came too late, or a second time. */
export function settle(order: Order, outcome: Outcome, now: Date): Order {
  if (isTerminal(order)) return order;
  return outcome.status === "fulfilled"
    ? change(order, { status: "fulfilled", total: outcome.total }, now)
    : change(order, { status: "rejected", rejectionReason: outcome.reason.slice(0, mostReasonLength) }, now);
}

/** The order as it was when placed: what a repeated request is answered with. */
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
  // Clocks of two machines differ: time must not run backwards between two versions.
  const updateTime = now < order.updateTime ? order.updateTime : now;
  return { ...order, ...fields, version: order.version + 1n, updateTime };
}
