import assert from "node:assert/strict";
import test from "node:test";
import { similar } from "./similar.ts";

const names = ["port", "host", "database.url", "database.poolSize", "drainMs"];

for (const [name, want] of [
  ["prot", "port"],
  ["databsae.url", "database.url"],
  ["database.ur", "database.url"],
  ["database.poolsize", "database.poolSize"],
  ["DRAINMS", "drainMs"],
  ["pool", undefined],
  ["x", undefined],
  ["", undefined],
  ["something else", undefined],
  ["x".repeat(1_000_000), undefined],
] as const) {
  test(`the closest name to "${name.slice(0, 20)}" is ${want ?? "none"}`, () =>
    assert.equal(similar(name, names), want));
}

test("the closest of several similar names is returned", () => {
  assert.equal(similar("brokers", ["broker", "brokerss", "brokers2x"]), "broker");
  assert.equal(similar("timeoutMs", ["timeoutX", "timeMs", "timeoutM"]), "timeoutM");
});
