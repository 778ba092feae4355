import { type Violation, violationsOf } from "@plumbline/contracts/bounds";
import { nameViolations, type Order } from "../domain/order.ts";
import { type OrderId, parseOrderId } from "../domain/order-id.ts";
import type { Abortable, Ports } from "./ports.ts";

export interface ListOrders {
  readonly customerId: string;
  /** 0 means 20. The proto states the most. */
  readonly pageSize: number;
  /** `nextPageToken` of the page before; empty for the first. */
  readonly pageToken: string;
}

export interface OrdersPage {
  readonly orders: readonly Order[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const defaultPageSize = 20;

/** The query asks for no page. Lists every problem. */
export class InvalidListError extends Error {
  override readonly name = "InvalidListError";
  readonly violations: readonly Violation[];
  constructor(violations: readonly Violation[]) {
    super("the query is not valid");
    this.violations = violations;
  }
}

/**
 * A customer's orders, the newest first. Pages are cut by id, so orders placed meanwhile neither repeat nor hide one.
 * Throws InvalidListError.
 */
export async function listOrders(
  { orders }: Pick<Ports, "orders">,
  query: ListOrders,
  { signal }: Abortable = {},
): Promise<OrdersPage> {
  const before = query.pageToken === "" ? undefined : readToken(query.pageToken);
  const violations = [...violationsOf("orders.v1.ListOrdersRequest", query), ...nameViolations(query.customerId)];
  if (query.pageToken !== "" && before === undefined) {
    violations.push({ field: "pageToken", description: "must be the nextPageToken of a page before" });
  }
  if (violations.length > 0) throw new InvalidListError(violations);

  const size = query.pageSize === 0 ? defaultPageSize : query.pageSize;
  // One more than asked for tells whether there is a next page.
  const found = await orders.list({ customerId: query.customerId, before, limit: size + 1 }, { signal });
  const page = found.slice(0, size);
  const last = page.at(-1);
  return { orders: page, nextPageToken: found.length > size && last !== undefined ? writeToken(last.id) : "" };
}

/** The token: the bytes of the last id, so that nobody is tempted to make one up, and a format we may change. */
function writeToken(id: OrderId): string {
  return Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url");
}

/** The id in a token; undefined for what `writeToken` did not write. */
function readToken(token: string): OrderId | undefined {
  const hex = Buffer.from(token, "base64url").toString("hex");
  const id = parseOrderId(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"));
  // Decoding skips what is not base64url: a token is one only if it is what the id is written as.
  return id !== undefined && writeToken(id) === token ? id : undefined;
}
