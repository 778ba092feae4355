import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FileRegistry } from "@bufbuild/protobuf";
import { plumbline } from "../../test/support/orders.ts";
import { shop } from "../testing.ts";
import { maxJsonBytes } from "./max-size.ts";

describe("the JSON", () => {
  for (const { registry, name, bytes } of [
    { registry: plumbline, name: "orders.v1.PlaceOrderRequest", bytes: { least: 100_000, most: 400_000 } },
    { registry: shop, name: "shop.v1.TicksRequest", bytes: { least: 4096, most: 4096 } },
    // Texts, lists and maps without a bound; messages within themselves.
    { registry: shop, name: "shop.v1.Everything", bytes: undefined },
    { registry: shop, name: "shop.v1.Inner", bytes: undefined },
    { registry: shop, name: "kinds.v1.Kinds", bytes: undefined },
  ] as { registry: FileRegistry; name: string; bytes?: { least: number; most: number } }[]) {
    test(`for ${name} has ${bytes === undefined ? "no bound" : `at most ${bytes.most} bytes`}`, () => {
      const max = maxJsonBytes(registry.getMessage(name) ?? assert.fail());
      if (bytes === undefined) assert.equal(max, Number.POSITIVE_INFINITY);
      else assert.ok(bytes.least <= max && max <= bytes.most, `${max}`);
    });
  }
});

test("the largest valid request fits into its bound, with escapes and white space", () => {
  const items = Array.from({ length: 100 }, () => ({ sku: "a".repeat(64), quantity: 1000 }));
  const text = JSON.stringify({ customerId: "\u{1f98a}".repeat(64), items }, null, 8);
  const escaped = text.replaceAll("a", "\\u0061");
  assert.ok(
    Buffer.byteLength(escaped) < maxJsonBytes(plumbline.getMessage("orders.v1.PlaceOrderRequest") ?? assert.fail()),
  );
});
