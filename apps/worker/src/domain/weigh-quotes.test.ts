import assert from "node:assert/strict";
import { test } from "node:test";
import type { Quote } from "./order.ts";
import { type Verdict, weighQuotes } from "./weigh-quotes.ts";

const priced = (minorUnits: bigint, currencyCode = "EUR"): Quote => ({
  status: "in_stock",
  unitPrice: { currencyCode, minorUnits },
});
const gone: Quote = { status: "out_of_stock" };
const unknown: Quote = { status: "unknown_sku" };
const rejected = (reason: string): Verdict => ({ status: "rejected", reason });
const supplied = (minorUnits: bigint, currencyCode = "EUR"): Verdict => ({
  status: "supplied",
  total: { currencyCode, minorUnits },
});
const most = 2n ** 63n - 1n;

for (const { name, items, want } of [
  { name: "one item costs its price times its quantity", items: { tea: [3, priced(450n)] }, want: supplied(1_350n) },
  {
    name: "an order costs the sum of its items",
    items: { tea: [2, priced(450n)], cups: [1, priced(1_999n)] },
    want: supplied(2_899n),
  },
  { name: "a free item costs nothing", items: { sample: [1, priced(0n)] }, want: supplied(0n) },
  {
    name: "an amount beyond the precision of floating point is exact",
    items: { a: [1_000, priced(9_007_199_254_740_993n)], b: [1, priced(1n)] },
    want: supplied(9_007_199_254_740_993_001n),
  },
  { name: "the largest total is charged", items: { ship: [1, priced(most)] }, want: supplied(most) },
  {
    name: "one cent more than the largest total is rejected",
    items: { ship: [1, priced(most)], tea: [1, priced(1n)] },
    want: rejected("the total is more than can be charged"),
  },
  {
    name: "a product that does not fit is rejected, not wrapped",
    items: { ship: [1_000, priced(most)] },
    want: rejected("the total is more than can be charged"),
  },
  { name: "an item out of stock is named", items: { oolong: [1, gone] }, want: rejected("out of stock: oolong") },
  {
    name: "everything that cannot be supplied is named at once",
    items: { tea: [1, priced(1n)], oolong: [1, gone], unicorn: [1, gone], socks: [1, unknown] },
    want: rejected("out of stock: oolong, unicorn; not sold here: socks"),
  },
  {
    name: "two currencies are rejected",
    items: { matcha: [1, priced(1n, "JPY")], tea: [1, priced(1n)] },
    want: rejected("priced in several currencies: EUR, JPY"),
  },
  {
    name: "the currency of an item out of stock does not matter",
    items: { tea: [1, priced(1n)], unicorn: [1, gone] },
    want: rejected("out of stock: unicorn"),
  },
] satisfies { name: string; items: Record<string, [number, Quote]>; want: Verdict }[]) {
  test(name, () => {
    const entries = Object.entries<[number, Quote]>(items);
    const got = weighQuotes(
      entries.map(([sku, [quantity]]) => ({ sku, quantity })),
      entries.map(([, [, quote]]) => quote),
    );
    assert.deepEqual(got, want);
  });
}

test("a reason names a few of many missing items and counts the others", () => {
  const items = Array.from({ length: 100 }, (_, index) => ({ sku: `${index}`.padStart(64, "x"), quantity: 1 }));
  const verdict = weighQuotes(
    items,
    items.map((_, index) => (index % 2 === 0 ? gone : unknown)),
  );
  assert.ok(verdict.status === "rejected");
  assert.match(verdict.reason, /^out of stock: .* and 45 more; not sold here: .* and 45 more$/);
  assert.ok(verdict.reason.length < 1_000, `${verdict.reason.length} characters`);
});

test("a missing quote is an error of the caller, and never makes an order cheaper", () => {
  const items = ["tea", "cups"].map((sku) => ({ sku, quantity: 1 }));
  assert.throws(() => weighQuotes(items, [priced(1n)]), /one quote is needed for each item/);
});
