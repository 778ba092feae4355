import assert from "node:assert/strict";
import test from "node:test";
import { turnsOf, wantedSince } from "./replicas.ts";

test("the numbers asked for begin with that of the moment, and repeat none in a row", () => {
  const changes = [3, 3, 4, 4, 4, 2].map((wanted, at) => ({ at, wanted, ready: wanted }));
  assert.deepEqual(wantedSince(changes, 1), [3, 4, 2]);
  assert.deepEqual(wantedSince(changes, 4), [4, 2]);
});

test("a series that only grows has no turn, and each change of direction is one", () => {
  assert.equal(turnsOf([2, 4, 5, 6]), 0);
  assert.equal(turnsOf([2, 5, 4, 6]), 2);
  assert.equal(turnsOf([2]), 0);
});
