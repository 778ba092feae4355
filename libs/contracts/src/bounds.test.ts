import assert from "node:assert/strict";
import { test } from "node:test";
import { bounds, violationsOf } from "./bounds.ts";

const request = { customerId: "ada", items: [{ sku: "tea", quantity: 2 }] };
const message = "orders.v1.PlaceOrderRequest";

test("the table has the bounds that the protos state", () => {
  assert.deepEqual(bounds["orders.v1.OrderItem"], {
    sku: { kind: "text", least: 1, most: 64, pattern: "^[a-z0-9-]*$" },
    quantity: { kind: "number", least: 1, most: 1_000 },
  });
  assert.deepEqual(bounds[message].items, { kind: "list", least: 1, most: 100, each: "orders.v1.OrderItem" });
});

test("a message within its bounds has no violations", () => assert.deepEqual(violationsOf(message, request), []));

for (const { name, value, want } of [
  { name: "a text that is too short", value: { customerId: "" }, want: ["customerId: must have 1 to 64 characters"] },
  {
    name: "a text that is too long, counted in code points",
    value: { customerId: "𝄞".repeat(65) },
    want: ["customerId: must have 1 to 64 characters"],
  },
  {
    name: "a text that is not there",
    value: { customerId: undefined },
    want: ["customerId: must have 1 to 64 characters"],
  },
  { name: "an empty list", value: { items: [] }, want: ["items: must have 1 to 100 entries"] },
  {
    name: "a list that is too long, whose entries are not looked at",
    value: { items: Array.from({ length: 101 }, () => ({ sku: "", quantity: 0 })) },
    want: ["items: must have 1 to 100 entries"],
  },
  {
    name: "entries of a list",
    value: { items: [{ sku: "Tea\n", quantity: 1.5 }] },
    want: ['items[0].sku: must be 1 to 64 of a-z, 0-9 and "-"', "items[0].quantity: must be 1 to 1000"],
  },
]) {
  test(`${name} is named with what it must be`, () =>
    assert.deepEqual(
      violationsOf(message, { ...request, ...value }).map(({ field, description }) => `${field}: ${description}`),
      want,
    ));
}

test("the longest text in characters of two units is allowed", () =>
  assert.deepEqual(violationsOf(message, { ...request, customerId: "𝄞".repeat(64) }), []));
