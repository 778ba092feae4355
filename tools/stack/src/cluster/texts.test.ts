import assert from "node:assert/strict";
import test from "node:test";
import { placedOf } from "./demo.ts";
import { sumOf } from "./shares.ts";

test("the placed orders are read from the demo's progress, and from no other line", () => {
  assert.equal(placedOf("placed █████░░░░░ 50/200   settled ░░░░░ 0/200"), 50);
  assert.equal(placedOf("  200 of 200 accounted for"), undefined);
});

test("a counter is summed over its series, without those whose names begin alike", () => {
  const page = [
    "# TYPE http_requests_total counter",
    'http_requests_total{code="200"} 7',
    'http_requests_total{code="503",text="a b"} 2.5',
    'http_requests_total_created{code="200"} 1700000000',
    "http_requests_total 1 1700000000000",
  ].join("\n");
  assert.equal(sumOf(page, "http_requests_total"), 10.5);
});
