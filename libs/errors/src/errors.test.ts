import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inspect } from "node:util";
import { codeFromNumber, codeOf, codes, codeToNumber, isServiceError, ServiceError } from "./index.ts";

test("every code converts to its number and back", () => {
  assert.deepEqual(codes.map(codeToNumber), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  for (const code of codes) assert.equal(codeFromNumber(codeToNumber(code)), code);
});

test("the README's table names every code with its number", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, code, number]) => `${code} ${number}`);
  assert.deepEqual(
    rows,
    codes.map((code) => `${code} ${codeToNumber(code)}`),
  );
});

for (const number of [0, -1, 17, 1.5, Number.NaN]) {
  test(`the unassigned number ${number} is unknown`, () => assert.equal(codeFromNumber(number), "unknown"));
}

class LostOrderError extends ServiceError {
  static {
    this.prototype.name = "LostOrderError";
  }
}

for (const { name, error, want } of [
  { name: "a ServiceError has its own code", error: new ServiceError("not_found", "no order"), want: "not_found" },
  { name: "a subclass has its parent's code", error: new LostOrderError("data_loss", "gone"), want: "data_loss" },
  { name: "an abort is cancelled", error: AbortSignal.abort().reason, want: "cancelled" },
  {
    name: "Node's own abort is cancelled",
    error: Object.assign(new Error(), { name: "AbortError" }),
    want: "cancelled",
  },
  { name: "a timeout is deadline_exceeded", error: new DOMException("", "TimeoutError"), want: "deadline_exceeded" },
  { name: "an error without a code is internal", error: new TypeError("x is undefined"), want: "internal" },
  {
    name: "the code of a cause is ignored",
    error: new Error("x", { cause: new ServiceError("aborted", "y") }),
    want: "internal",
  },
  { name: "a thrown string is internal", error: "AbortError", want: "internal" },
  { name: "a thrown undefined is internal", error: undefined, want: "internal" },
  { name: "a thrown null is internal", error: null, want: "internal" },
] as const) {
  test(name, () => assert.equal(codeOf(error), want));
}

test("an error of another copy of this package is recognised", async () => {
  const url = new URL("./service-error.ts?copy", import.meta.url).href;
  const copy = ((await import(url)) as { ServiceError: typeof ServiceError }).ServiceError;
  const error: unknown = new copy("aborted", "from the copy");
  assert.ok(!(error instanceof ServiceError));
  assert.ok(isServiceError(error));
  assert.equal(codeOf(error), "aborted");
});

test("an object that only resembles a ServiceError is not one", () => {
  for (const fake of [{ code: "aborted" }, Object.assign(new Error(), { code: "ENOENT" }), null, "aborted"]) {
    assert.ok(!isServiceError(fake));
  }
});

test("the stack starts with the name of the class or subclass", () => {
  assert.match(new ServiceError("internal", "boom").stack ?? "", /^ServiceError: boom\n/);
  assert.match(new LostOrderError("internal", "boom").stack ?? "", /^LostOrderError: boom\n/);
});

test("a printed error shows the given fields and no others", () => {
  const bare = inspect(new ServiceError("not_found", "no order"));
  assert.ok(!/reason|retryAfterMs|cause/.test(bare), bare);
  const full = inspect(new ServiceError("aborted", "x", { cause: "why", reason: "BUSY", retryAfterMs: 5 }));
  for (const part of ["code: 'aborted'", "reason: 'BUSY'", "retryAfterMs: 5", "[cause]: 'why'"])
    assert.ok(full.includes(part), full);
});

test("violations are copied and frozen", () => {
  const violations = [{ field: "items[0].quantity", description: "must be positive" }];
  const error = new ServiceError("invalid_argument", "bad order", { violations });
  violations.pop();
  assert.equal(error.violations.length, 1);
  assert.throws(() => (error.violations as unknown[]).pop(), TypeError);
});
