import assert from "node:assert/strict";
import test from "node:test";
import { newBudget, printable, text } from "./printable.ts";

const circular: Record<string, unknown> = { name: "a" };
circular["self"] = circular;
const shared = { x: 1 };

for (const { name, value, want } of [
  { name: "a bigint is text", value: 2n ** 64n, want: "18446744073709551616" },
  {
    name: "a number that JSON cannot represent is text",
    value: [Number.NaN, Number.POSITIVE_INFINITY],
    want: ["NaN", "Infinity"],
  },
  { name: "a date is ISO", value: new Date(0), want: "1970-01-01T00:00:00.000Z" },
  {
    name: "bytes show their length only",
    value: [new Uint8Array(3), Buffer.from("hunter2"), new ArrayBuffer(2)],
    want: ["[3 bytes]", "[7 bytes]", "[2 bytes]"],
  },
  {
    name: "a map is an object",
    value: new Map<unknown, unknown>([
      ["a", 1],
      [{}, 2],
    ]),
    want: { a: 1, "[object]": 2 },
  },
  { name: "a set is a list", value: new Set([1, 2]), want: [1, 2] },
  { name: "an error is its name and message", value: { error: new TypeError("t") }, want: { error: "TypeError: t" } },
  { name: "an undefined field is left out", value: { a: undefined, b: null }, want: { b: null } },
  { name: "functions and symbols show their type", value: [() => 1, Symbol("s")], want: ["[function]", "[symbol]"] },
  { name: "a cycle is cut", value: circular, want: { name: "a", self: "[circular]" } },
  { name: "a repeated value is not a cycle", value: [shared, shared], want: [{ x: 1 }, { x: 1 }] },
  { name: "half a surrogate pair is replaced", value: "a\ud800", want: "a\ufffd" },
  {
    name: "a key that is on every object is a key like any other",
    value: JSON.parse('{"__proto__": 1, "constructor": 2}'),
    want: JSON.parse('{"__proto__": 1, "constructor": 2}'),
  },
]) {
  test(name, () => assert.deepEqual(JSON.parse(JSON.stringify(printable(value))), want));
}

test("a password is not shown when its URL is cut in the middle", () => {
  const url = `${"x".repeat(2_040)}http://user:hunter2@host`;
  assert.doesNotMatch(String(printable(url)), /hun/);
});

for (const { name, value } of [
  { name: "deep", value: Array.from({ length: 10_000 }).reduce<unknown>((inner) => ({ inner }), 1) },
  { name: "deep by toJSON", value: endless() },
  { name: "wide", value: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])) },
  { name: "long in its texts", value: Array.from({ length: 100 }, () => "x".repeat(1_000_000)) },
  { name: "long in its keys", value: { ["k".repeat(1_000_000)]: 1 } },
  { name: "wide on every level", value: wide(6) },
  { name: "full of URLs", value: "http://a:b".repeat(100_000) },
]) {
  test(`a value that is ${name} is cut, quickly`, () => {
    const started = performance.now();
    const line = JSON.stringify(printable(value));
    assert.ok(line.length < 100_000, `${line.length} characters`);
    assert.match(line, /\[cut\]|\[object\]|\[array\]/);
    assert.ok(performance.now() - started < 1_000);
  });
}

test("values below five levels are not shown", () => {
  assert.deepEqual(plain({ a: { a: { a: { a: { a: { a: 1 } } } } } }), { a: { a: { a: { a: { a: "[object]" } } } } });
  assert.deepEqual(plain([[[[[[1]]]]]]), [[[[["[array]"]]]]]);
  assert.equal(plain(endless()), "[object]");
});

test("all fields of a line share one budget", () => {
  const budget = newBudget();
  for (let field = 0; field < 100; field++) printable("x".repeat(2_000), budget);
  assert.ok(budget.characters <= 0);
  assert.equal(text("more", budget), "[cut]");
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(printable(value)));
}

function endless(): object {
  return { toJSON: () => endless() };
}

function wide(depth: number): unknown {
  return depth === 0 ? "leaf" : Array.from({ length: 6 }, () => wide(depth - 1));
}
