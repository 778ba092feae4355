import assert from "node:assert/strict";
import test from "node:test";
import type { Order } from "./api.ts";
import { judge, percentile } from "./verdict.ts";

const placed = { key: "k", id: "a", expected: "ORDER_STATUS_FULFILLED" };
const order = (changes: Partial<Order> = {}): Order => ({
  id: "a",
  customerId: "c",
  items: [],
  status: "ORDER_STATUS_FULFILLED",
  rejectionReason: "",
  version: "2",
  createTime: "",
  updateTime: "",
  ...changes,
});

for (const { name, listed, want } of [
  { name: "an order that ended once is accounted for", listed: [order()], want: [0, 0, 0] },
  { name: "an order that is not listed is lost", listed: [], want: [1, 0, 0] },
  {
    name: "an order without an end is lost",
    listed: [order({ status: "ORDER_STATUS_PENDING", version: "1" })],
    want: [1, 0, 0],
  },
  { name: "an order listed twice is doubled", listed: [order(), order()], want: [0, 1, 0] },
  { name: "an order that was not placed is doubled", listed: [order(), order({ id: "b" })], want: [0, 1, 0] },
  { name: "an end that took effect twice is doubled", listed: [order({ version: "3" })], want: [0, 1, 0] },
  { name: "another end than expected is wrong", listed: [order({ status: "ORDER_STATUS_REJECTED" })], want: [0, 0, 1] },
]) {
  test(name, () => {
    const verdict = judge([placed], listed);
    assert.deepEqual([verdict.lost.length, verdict.doubled.length, verdict.wrong.length], want);
    assert.equal(
      verdict.ok,
      want.every((count) => count === 0),
    );
  });
}

test("two orders with one id are doubled", () =>
  assert.equal(judge([placed, { ...placed, key: "l" }], [order()]).ok, false));

for (const { share, want } of [
  { share: 0.5, want: 50 },
  { share: 0.99, want: 99 },
  { share: 1, want: 100 },
]) {
  test(`percentile ${share} of 1 to 100 is ${want}`, () => {
    assert.equal(
      percentile(
        Array.from({ length: 100 }, (_, index) => 100 - index),
        share,
      ),
      want,
    );
  });
}
