import assert from "node:assert/strict";
import test from "node:test";
import { money } from "./money.ts";
import {
  asPlaced,
  cancel,
  InvalidOrderError,
  newOrder,
  type Order,
  OrderAlreadyFulfilledError,
  OrderAlreadyRejectedError,
  settle,
} from "./order.ts";
import { uuidV7 } from "./order-id.ts";

const now = new Date("2026-01-02T03:04:05.678Z");
const later = new Date(now.getTime() + 1_000);
const fulfilment = { status: "fulfilled", total: money("EUR", 1_250n) } as const;
const rejection = { status: "rejected", reason: "out of stock: oolong" } as const;

const place = (customerId = "ada", items = [{ sku: "tea", quantity: 2 }]): Order =>
  newOrder(uuidV7(0, new Uint8Array(10)), { customerId, items }, now);

const items = (count: number) => Array.from({ length: count }, (_, index) => ({ sku: `sku-${index}`, quantity: 1 }));

for (const { name, customerId = "ada", items: wanted = items(1) } of [
  { name: "the smallest order is placed" },
  { name: "the largest order allowed is placed", items: items(100).map((item) => ({ ...item, quantity: 1_000 })) },
  { name: "a customer id of 64 characters is taken, however many bytes they are", customerId: "𝄞".repeat(64) },
  { name: "a sku of 64 characters is taken", items: [{ sku: "a".repeat(64), quantity: 1 }] },
]) {
  test(name, () => assert.equal(place(customerId, wanted).status, "pending"));
}

for (const { name, customerId = "ada", items: wanted = items(1), fields } of [
  { name: "no customer", customerId: "", fields: ["customerId"] },
  { name: "a customer id of 65 characters", customerId: "a".repeat(65), fields: ["customerId"] },
  { name: "a customer id with U+0000", customerId: "a\0", fields: ["customerId"] },
  { name: "no items", items: [], fields: ["items"] },
  { name: "101 items", items: items(101), fields: ["items"] },
  { name: "10,000 items", items: items(10_000), fields: ["items"] },
  { name: "an empty sku", items: [{ sku: "", quantity: 1 }], fields: ["items[0].sku"] },
  { name: "a sku in capitals", items: [...items(3), { sku: "Tea", quantity: 1 }], fields: ["items[3].sku"] },
  { name: "a sku of 65 characters", items: [{ sku: "a".repeat(65), quantity: 1 }], fields: ["items[0].sku"] },
  { name: "a sku with a line end", items: [{ sku: "tea\n", quantity: 1 }], fields: ["items[0].sku"] },
  { name: "one sku twice", items: [...items(2), { sku: "sku-0", quantity: 1 }], fields: ["items[2].sku"] },
  { name: "a quantity of 0", items: [{ sku: "tea", quantity: 0 }], fields: ["items[0].quantity"] },
  { name: "a negative quantity", items: [...items(3), { sku: "a", quantity: -1 }], fields: ["items[3].quantity"] },
  { name: "a quantity of 1,001", items: [{ sku: "tea", quantity: 1_001 }], fields: ["items[0].quantity"] },
  {
    name: "everything at once",
    customerId: "",
    items: [{ sku: "", quantity: 0 }],
    fields: ["customerId", "items[0].sku", "items[0].quantity"],
  },
]) {
  test(`${name} is refused, and said where`, () =>
    assert.throws(
      () => place(customerId, wanted),
      (error: InvalidOrderError) => {
        assert.deepEqual(
          error.violations.map(({ field }) => field),
          fields,
        );
        return error instanceof InvalidOrderError;
      },
    ));
}

test("only the first twenty of many problems are listed", () =>
  assert.throws(
    () =>
      place(
        "",
        Array.from({ length: 100 }, () => ({ sku: "", quantity: 0 })),
      ),
    (error: InvalidOrderError) => error.violations.length === 20,
  ));

test("a new order is pending at version 1 and costs nothing known", () =>
  assert.deepEqual(place(), {
    id: uuidV7(0, new Uint8Array(10)),
    customerId: "ada",
    items: [{ sku: "tea", quantity: 2 }],
    status: "pending",
    total: undefined,
    rejectionReason: "",
    version: 1n,
    createTime: now,
    updateTime: now,
  }));

const pending = place();
const fulfilled = settle(pending, fulfilment, later);
const rejected = settle(pending, rejection, later);
const cancelled = cancel(pending, later);

test("a pending order becomes fulfilled with its total, one version on", () =>
  assert.deepEqual(fulfilled, {
    ...pending,
    status: "fulfilled",
    total: fulfilment.total,
    version: 2n,
    updateTime: later,
  }));

test("a pending order becomes rejected with its reason, one version on", () =>
  assert.deepEqual(rejected, {
    ...pending,
    status: "rejected",
    rejectionReason: rejection.reason,
    version: 2n,
    updateTime: later,
  }));

test("a pending order becomes cancelled, one version on", () =>
  assert.deepEqual(cancelled, { ...pending, status: "cancelled", version: 2n, updateTime: later }));

for (const ended of [fulfilled, rejected, cancelled]) {
  for (const outcome of [fulfilment, rejection]) {
    test(`an order that is ${ended.status} stays so when it is ${outcome.status} afterwards`, () =>
      assert.equal(settle(ended, outcome, later), ended));
  }
}

test("a fulfilled order cannot be cancelled", () =>
  assert.throws(() => cancel(fulfilled, later), OrderAlreadyFulfilledError));
test("a rejected order cannot be cancelled", () =>
  assert.throws(() => cancel(rejected, later), OrderAlreadyRejectedError));
test("cancelling a cancelled order changes nothing", () => assert.equal(cancel(cancelled, later), cancelled));

test("an order as it was placed is what placing returned, whatever became of it", () => {
  for (const order of [pending, fulfilled, rejected, cancelled]) assert.deepEqual(asPlaced(order), pending);
});

test("a clock that runs behind does not turn an order's time back", () =>
  assert.deepEqual(cancel(place(), new Date(0)).updateTime, now));

test("a reason without end is cut", () =>
  assert.equal(
    settle(pending, { status: "rejected", reason: "x".repeat(5_000) }, later).rejectionReason.length,
    1_000,
  ));
