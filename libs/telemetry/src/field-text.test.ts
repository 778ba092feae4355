import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { addFields } from "./field-text.ts";
import type { Fields } from "./logger.ts";
import { type Budget, type Json, newBudget, printable } from "./printable.ts";

const own = new Set(["time", "level", "service", "message", "trace_id", "span_id"]);

/**
 * Returns the expected text of `addFields`, by copying to a record that is then converted to text.
 */
function viaRecord(parts: readonly Fields[], budget: Budget): string {
  const record: Record<string, Json> = Object.assign(Object.create(null), { message: "m" });
  for (const fields of parts) {
    const copied = printable(fields, budget);
    if (typeof copied !== "object" || copied === null) continue;
    for (const [key, value] of Object.entries(copied))
      record[own.has(key) || key.startsWith("error.") ? `fields.${key}` : key] = value;
  }
  return JSON.stringify(record);
}

function inOnePass([bound, fields]: readonly [Fields, Fields], budget: Budget): string {
  const line = addFields('{"message":"m"', bound, budget);
  return `${addFields(line, fields, budget, bound)}}`;
}

const textual = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("\ud800", "a\udc00b", 'say "x"', "back\\slash", "tab\t", "\u0000", "\u007f", "\u2028", "é", "😀"),
  fc.constantFrom("postgres://u:hunter2@db", "://u:p@h", "a:/b", "/v1/orders/{id}", "http://h", "::1"),
  fc.nat({ max: 3_000 }).map((length) => "x".repeat(length)),
);
const key = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("method", "route", "status", "a", "b", "x-y", "rpc.method", "k".repeat(64)) },
  fc.constantFrom("0", "7", "-1", "1.5", "__proto__", "constructor", "toJSON", "[cut]", "", "k".repeat(65)),
  fc.constantFrom(...own, "error.type", "error.", "fields.level", "fields.error.type", "fields.x"),
  textual,
);
const circular: Record<string, unknown> = {};
circular["self"] = { inner: circular };
const value = fc.oneof(
  { weight: 4, arbitrary: textual },
  { weight: 2, arbitrary: fc.oneof(fc.integer(), fc.double(), fc.boolean()) },
  fc.constantFrom(
    -0,
    Number.NaN,
    undefined,
    null,
    2n ** 64n,
    circular,
    new Error("e"),
    new Date(0),
    Symbol("s"),
    () => 1,
  ),
  fc.constantFrom(
    { toJSON: () => "[secret]" },
    new Map([["a", new Set([1])]]),
    {
      get broken(): string {
        throw new Error("no");
      },
    },
    [[[[[[[1]]]]]]],
    { a: { a: { a: { a: { a: { a: 1 } } } } } },
  ),
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
);
// Defined, not assigned, so that __proto__ is a key here too.
const fields = fc
  .array(fc.tuple(key, value), { maxLength: 60, size: "max" })
  .map((entries): Fields => Object.fromEntries(entries));
const anyFields = fc.oneof(
  { weight: 9, arbitrary: fields },
  fc.constantFrom<unknown>(null, undefined, 1, "text", [1, "a"], new Map([["level", 1]]), new Error("e"), circular, {
    toJSON: () => ({ level: 1, 5: 2 }),
  }) as fc.Arbitrary<Fields>,
);
// The fields of a child are copied when it is created, so they are an object.
const bound = fc.oneof(fields, fc.constantFrom<Fields>({ toJSON: () => ({ method: 1, x: 1 }) }, { toJSON: () => 1 }));
const budgets = fc.oneof(
  fc.constant(newBudget()),
  fc.record({ values: fc.nat({ max: 70 }), characters: fc.nat({ max: 300 }) }),
);

test("fields written in one pass equal JSON.stringify of their record, at the same budget", () => {
  fc.assert(
    fc.property(fc.tuple(bound, anyFields), budgets, (parts, budget) => {
      const [one, other] = [{ ...budget }, { ...budget }];
      assert.equal(inOnePass(parts, one), viaRecord(parts, other));
      assert.deepEqual(one, other);
    }),
    { numRuns: 2_000 },
  );
});

for (const { name, parts } of [
  { name: "a renamed field and one of that name", parts: [{ level: 1 }, { "fields.level": 2 }] as const },
  {
    name: "more entries than a level has, in both",
    parts: [
      Object.fromEntries(Array.from({ length: 60 }, (_, number) => [`a${number}`, number])),
      Object.fromEntries(Array.from({ length: 60 }, (_, number) => [`b${number}`, number])),
    ] as const,
  },
]) {
  test(`${name}: the same text in one pass`, () =>
    assert.equal(inOnePass(parts, newBudget()), viaRecord(parts, newBudget())));
}

test("common fields are written as they are", () => {
  const usual = fc.array(
    fc.tuple(
      fc.constantFrom("method", "route", "status", "durationMs", "requestId", "client", "code", "peer"),
      fc.oneof(fc.string({ unit: "grapheme-ascii" }), fc.double(), fc.nat(), fc.boolean()),
    ),
  );
  fc.assert(
    fc.property(usual, usual, (bound, some) => {
      const parts = [Object.fromEntries(bound), Object.fromEntries(some)] as const;
      assert.equal(inOnePass(parts, newBudget()), viaRecord(parts, newBudget()));
    }),
    { numRuns: 1_000 },
  );
});

test("keys made of data cost no memory: beyond a thousand they are checked each time, with the same text", () => {
  for (let number = 0; number < 3_000; number++) {
    const made: Fields = { [`key${number}`]: number, level: number };
    assert.equal(inOnePass([made, {}], newBudget()), viaRecord([made], newBudget()));
  }
});

test("a getter is read once in any kind of line", () => {
  for (const odd of [{}, { level: 1 }, { 0: 1 }]) {
    let reads = 0;
    const line = addFields(
      '{"message":"m"',
      {
        get a() {
          return ++reads;
        },
        ...odd,
        get b() {
          return ++reads;
        },
      },
      newBudget(),
    );
    assert.equal(reads, 2, line);
  }
});
