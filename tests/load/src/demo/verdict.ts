import type { Order } from "./api.ts";

export interface Placed {
  readonly key: string;
  readonly id: string;
  /** The status it must end with: a sku that is never in stock is rejected. */
  readonly expected: string;
}

export interface Verdict {
  readonly byStatus: ReadonlyMap<string, number>;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly wrong: readonly string[];
  readonly ok: boolean;
}

/**
 * Compares the placed orders with those that the API lists. Lost: placed, but not listed or still
 * pending. Doubled: listed but not placed, listed twice, or changed more than once after it was
 * placed (an end that took effect twice increments the version).
 */
export function judge(placed: readonly Placed[], listed: readonly Order[]): Verdict {
  const byStatus = new Map<string, number>();
  const seen = new Map<string, Order>();
  const doubled: string[] = [];
  const ids = new Set(placed.map((order) => order.id));
  for (const order of listed) {
    byStatus.set(order.status, (byStatus.get(order.status) ?? 0) + 1);
    if (seen.has(order.id)) doubled.push(`${order.id} is listed twice`);
    if (!ids.has(order.id)) doubled.push(`${order.id} is listed and was never placed`);
    if (BigInt(order.version) > 2n) doubled.push(`${order.id} changed ${BigInt(order.version) - 1n} times`);
    seen.set(order.id, order);
  }
  if (ids.size !== placed.length) doubled.push(`${placed.length - ids.size} orders share an id`);

  const lost: string[] = [];
  const wrong: string[] = [];
  for (const { id, expected } of placed) {
    const order = seen.get(id);
    if (order === undefined) lost.push(`${id} is not listed`);
    else if (order.status === "ORDER_STATUS_PENDING") lost.push(`${id} is still pending`);
    else if (order.status !== expected)
      wrong.push(`${id} is ${order.status}, not ${expected}: ${order.rejectionReason}`);
  }
  return { byStatus, lost, doubled, wrong, ok: lost.length + doubled.length + wrong.length === 0 };
}

/** Returns the value below which `share` (0 to 1) of the values lie; NaN without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
