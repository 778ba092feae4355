import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { Secret } from "./secret.ts";

const value = new Secret("hunter2");

for (const [name, print] of [
  ["a template", () => `${value}`],
  ["addition to text", () => "" + value],
  ["String", () => String(value)],
  ["JSON", () => JSON.stringify({ value, list: [value] })],
  [
    "inspect, with everything shown",
    () => inspect({ deep: { value } }, { showHidden: true, depth: Number.POSITIVE_INFINITY, getters: true }),
  ],
  ["the message of an error", () => String(new Error(`refused: ${value}`, { cause: value }))],
  ["its keys and values", () => JSON.stringify([Object.keys(value), Object.values(value), Object.assign({}, value)])],
  ["a structured clone", () => inspect(structuredClone(value))],
  ["a number", () => String(Number(value))],
] as const) {
  test(`a secret does not show in ${name}`, () => assert.doesNotMatch(print(), /hunter2/));
}

test("a secret reveals its value when asked, and cannot be changed", () => {
  assert.equal(value.reveal(), "hunter2");
  assert.equal(`${value}`, "[secret]");
  assert.equal(inspect({ value }), "{ value: [secret] }");
  assert.throws(() => Object.assign(value, { toString: () => "hunter2" }), TypeError);
});
