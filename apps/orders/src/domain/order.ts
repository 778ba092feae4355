/**
 * What an order is and may become. Pure: a function takes an order and returns the next one, or the same object where
 * nothing changes. The first terminal status wins; nothing here can undo it.
 *
 *     pending -> fulfilled | rejected | cancelled
 */
import type { Money } from "./money.ts";

export type OrderStatus = "pending" | "fulfilled" | "rejected" | "cancelled";

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
}

export interface Order {
  readonly id: string;
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

/** One thing wrong with a request, and where: `items[3].quantity`. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

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

const mostItems = 100;
const mostQuantity = 1_000;
const mostCustomerIdLength = 64;
const mostReasonLength = 1_000;
const mostViolations = 20;

/** A pending order, version 1; throws InvalidOrderError with everything that is wrong. */
export function newOrder(
  id: string,
  request: { readonly customerId: string; readonly items: readonly OrderItem[] },
  now: Date,
): Order {
  const violations = [...customerViolations(request.customerId), ...itemViolations(request.items)];
  if (violations.length > 0) throw new InvalidOrderError(violations.slice(0, mostViolations));
  return {
    id,
    customerId: request.customerId,
    items: request.items.map(({ sku, quantity }) => ({ sku, quantity })),
    status: "pending",
    total: undefined,
    rejectionReason: "",
    version: 1n,
    createTime: now,
    updateTime: now,
  };
}

/** What is wrong with the id of a customer: at most one thing. */
export function customerViolations(customerId: string): Violation[] {
  const length = Array.from(customerId).length;
  if (length < 1 || length > mostCustomerIdLength) {
    return [{ field: "customerId", description: `must have 1 to ${mostCustomerIdLength} characters` }];
  }
  // Postgres cannot store U+0000, and the others have no business in a name that is logged.
  return /\p{Cc}/u.test(customerId)
    ? [{ field: "customerId", description: "must not contain control characters" }]
    : [];
}

function itemViolations(items: readonly OrderItem[]): Violation[] {
  if (items.length < 1 || items.length > mostItems) {
    return [{ field: "items", description: `must have 1 to ${mostItems} entries` }];
  }
  const violations: Violation[] = [];
  const firstOf = new Map<string, number>();
  for (const [index, { sku, quantity }] of items.entries()) {
    const first = firstOf.get(sku);
    if (!/^[a-z0-9-]{1,64}$/.test(sku)) {
      violations.push({ field: `items[${index}].sku`, description: 'must be 1 to 64 of a-z, 0-9 and "-"' });
    } else if (first !== undefined) {
      violations.push({ field: `items[${index}].sku`, description: `must differ from items[${first}].sku` });
    } else {
      firstOf.set(sku, index);
    }
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > mostQuantity) {
      violations.push({ field: `items[${index}].quantity`, description: `must be 1 to ${mostQuantity}` });
    }
  }
  return violations;
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
