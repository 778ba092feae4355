import type { Money, OrderItem, Quote } from "./order.ts";

export type Verdict =
  | { readonly status: "supplied"; readonly total: Money }
  | { readonly status: "rejected"; readonly reason: string };

const mostMinorUnits = 2n ** 63n - 1n;
/** A reason reaches the customer, so it names a few SKUs and counts the others. */
const mostNamed = 5;

/**
 * Returns the total of an order, or the reason of its rejection. `quotes` are in the order of
 * `items`.
 */
export function weighQuotes(items: readonly OrderItem[], quotes: readonly Quote[]): Verdict {
  const skusOf = (status: Quote["status"]) =>
    items.filter((_, index) => quotes[index]?.status === status).map(({ sku }) => sku);
  const outOfStock = skusOf("out_of_stock");
  const unknown = skusOf("unknown_sku");
  const missing = [
    ...(outOfStock.length > 0 ? [`out of stock: ${listed(outOfStock)}`] : []),
    ...(unknown.length > 0 ? [`not sold here: ${listed(unknown)}`] : []),
  ];
  if (missing.length > 0) return { status: "rejected", reason: missing.join("; ") };

  // Amounts in two currencies have no total without an exchange rate.
  const prices = quotes.map((quote) => (quote as Quote & { status: "in_stock" }).unitPrice);
  const currencies = [...new Set(prices.map(({ currencyCode }) => currencyCode))].sort();
  const [currencyCode, ...others] = currencies;
  if (currencyCode === undefined || prices.length !== items.length)
    throw new Error("one quote is needed for each item");
  if (others.length > 0) return { status: "rejected", reason: `priced in several currencies: ${listed(currencies)}` };

  const minorUnits = prices.reduce(
    (sum, price, index) => sum + price.minorUnits * BigInt(quantityOf(items, index)),
    0n,
  );
  if (minorUnits > mostMinorUnits) return { status: "rejected", reason: "the total is more than can be charged" };
  return { status: "supplied", total: { currencyCode, minorUnits } };
}

function quantityOf(items: readonly OrderItem[], index: number): number {
  return items[index]?.quantity ?? 0;
}

function listed(names: readonly string[]): string {
  const named = names.slice(0, mostNamed).join(", ");
  return names.length <= mostNamed ? named : `${named} and ${names.length - mostNamed} more`;
}
