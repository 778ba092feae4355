import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { cases } from "./cases.ts";
import { filesWithNegatives, negativesOf } from "./find.ts";

test("the name of a test says which cases it is", () => {
  assert.deepEqual(negativesOf("a key that is rotated fails nothing (negative 25)"), [25]);
  assert.deepEqual(negativesOf("to read, watch and cancel (negatives 1, 2, 9)"), [1, 2, 9]);
  assert.deepEqual(negativesOf("a negative total"), []);
});

test("test files are found by their own names, and by those of suites that they import", () => {
  const files = filesWithNegatives(resolve(import.meta.dirname, "../../../.."));
  assert.ok(files.includes("apps/gateway/test/auth.test.ts"), files.join());
  assert.ok(files.includes("apps/orders/test/memory.test.ts"), files.join());
  assert.ok(!files.includes("apps/gateway/test/docs.test.ts"), files.join());
});

test("the cases are numbered from 1 without a gap", () => {
  assert.deepEqual(
    Object.keys(cases).map(Number),
    Array.from({ length: 57 }, (_, at) => at + 1),
  );
});
