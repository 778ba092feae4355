import { hash } from "node:crypto";
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
  const { customerId } = query;
  const digest = digestOf(customerId === caller?.subject ? "" : customerId);
  const token = query.pageToken === "" ? undefined : readToken(query.pageToken);
  const violations = [...violationsOf("orders.v1.ListOrdersRequest", query), ...nameViolations(customerId)];
  if (query.pageToken !== "" && token === undefined) {
    violations.push({ field: "pageToken", description: "must be the nextPageToken of a page before" });
  } else if (token?.digest !== undefined && token.digest !== digest) {
    violations.push({
      field: "pageToken",
      description: "must be of a page with the same customerId; empty is the first page",
    });
  }
  if (violations.length > 0) throw new InvalidListError(violations);

  const size = query.pageSize === 0 ? rollouts.pageSize(customerId) : query.pageSize;
  const found = await orders.list({ customerId, before: token?.id, limit: size, maxBytes: maxPageBytes }, { signal });
  const last = found.orders.at(-1);
  return {
    orders: found.orders,
    nextPageToken: found.more && last !== undefined ? writeToken({ id: last.id, digest }) : "",
  };
}

/**
 * The octets of items after which a page ends, as JSON. A page may be shorter than requested
 * (AIP-158), so that a hundred large orders do not take a hundred times the memory of one.
 */
export const maxPageBytes = 128 * 1024;

/** The place in a list where a page begins. */
interface PageToken {
  /** The last order of the page before. */
  readonly id: OrderId;
  /** The digest of the list. Tokens of earlier versions have none, and are those of any list. */
  readonly digest?: string | undefined;
}

/**
 * Returns the digest of what a list is of: a customer, or the caller if empty. A client cannot turn
 * the pages of one list into those of another by mistake. It keeps no secret: an attacker can make
 * a token, and gets the orders that the caller may see.
 */
function digestOf(customerId: string): string {
  return hash("sha256", JSON.stringify({ customerId })).slice(0, 2 * digestBytes);
}

const idBytes = 16;
const digestBytes = 8;

/** Returns the text of a token. It is opaque, so that its format can change. */
function writeToken({ id, digest = "" }: PageToken): string {
  return Buffer.from(id.replaceAll("-", "") + digest, "hex").toString("base64url");
}

/** Returns what a token says, or undefined for text that `writeToken` did not write. */
function readToken(text: string): PageToken | undefined {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== idBytes && bytes.length !== idBytes + digestBytes) return undefined;
  const hex = bytes.toString("hex", 0, idBytes);
  const id = parseOrderId(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"));
  if (id === undefined) return undefined;
  const token = { id, digest: bytes.toString("hex", idBytes) || undefined };
  // Decoding skips characters that are not base64url, so compare with the text of the token.
  return writeToken(token) === text ? token : undefined;
}
