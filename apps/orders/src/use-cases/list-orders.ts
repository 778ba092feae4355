import { type Violation, violationsOf } from "@plumbline/contracts/bounds";
import { nameViolations, type Order } from "../domain/order.ts";
import { type OrderId, parseOrderId } from "../domain/order-id.ts";
import { type Caller, customerFor } from "./caller.ts";
import type { Abortable, Ports } from "./ports.ts";

export interface ListOrders {
  /** Empty for the caller. */
  readonly customerId: string;
  /** 0 means the size that is usual for the customer. The proto states the most. */
  readonly pageSize: number;
  /** The `nextPageToken` of the page before. Empty for the first page. */
  readonly pageToken: string;
}

export interface OrdersPage {
  readonly orders: readonly Order[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** The error for a query that describes no page. Lists all problems. */
export class InvalidListError extends Error {
  override readonly name = "InvalidListError";
  readonly violations: readonly Violation[];
  constructor(violations: readonly Violation[]) {
    super("the query is not valid");
    this.violations = violations;
  }
}

/**
 * Returns a page of a customer's orders, the newest first. Pages are cut by id, so orders placed
 * meanwhile neither repeat nor hide one. Large orders make a page shorter than requested. Throws
 * InvalidListError and CustomerMismatchError.
 */
export async function listOrders(
  { orders, rollouts }: Pick<Ports, "orders" | "rollouts">,
  caller: Caller | undefined,
  { customerId: named, ...rest }: ListOrders,
  { signal }: Abortable = {},
): Promise<OrdersPage> {
  const query = { ...rest, customerId: customerFor(caller, named) };
  const before = query.pageToken === "" ? undefined : readToken(query.pageToken);
  const violations = [...violationsOf("orders.v1.ListOrdersRequest", query), ...nameViolations(query.customerId)];
  if (query.pageToken !== "" && before === undefined) {
    violations.push({ field: "pageToken", description: "must be the nextPageToken of a page before" });
  }
  if (violations.length > 0) throw new InvalidListError(violations);

  const size = query.pageSize === 0 ? rollouts.pageSize(query.customerId) : query.pageSize;
  const { customerId } = query;
  const found = await orders.list({ customerId, before, limit: size, maxBytes: maxPageBytes }, { signal });
  const last = found.orders.at(-1);
  return { orders: found.orders, nextPageToken: found.more && last !== undefined ? writeToken(last.id) : "" };
}

/**
 * The octets of items after which a page ends, as JSON. A page may be shorter than requested
 * (AIP-158), so that a hundred large orders do not take a hundred times the memory of one.
 */
export const maxPageBytes = 128 * 1024;

/** Returns the token after an id. It is opaque, so that its format can change. */
function writeToken(id: OrderId): string {
  return Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url");
}

/** Returns the id in a token, or undefined for text that `writeToken` did not write. */
function readToken(token: string): OrderId | undefined {
  const hex = Buffer.from(token, "base64url").toString("hex");
  const id = parseOrderId(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"));
  // Decoding skips characters that are not base64url, so compare with the token of the id.
  return id !== undefined && writeToken(id) === token ? id : undefined;
}
