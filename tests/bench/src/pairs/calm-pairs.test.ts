import assert from "node:assert/strict";
import { test } from "node:test";
import { calmPairs } from "./calm-pairs.ts";
import type { Surroundings, Watched } from "./surroundings.ts";

const calm: Surroundings = { steal: 0, queue: 2.5, spinMs: 10 };
const side = (rounds: number, disturbed: Readonly<Record<number, Partial<Surroundings>>> = {}) =>
  Array.from({ length: rounds }, (_, round): Watched & { readonly round: number } => ({
    round,
    around: { ...calm, ...disturbed[round] },
  }));
const kept = ({ pairs }: ReturnType<typeof calmPairs<Watched & { readonly round: number }>>) =>
  pairs.map(([{ round }]) => round);

test("calm rounds are kept, pair by pair", () => {
  const found = calmPairs(side(3), side(3));
  assert.deepEqual(kept(found), [0, 1, 2]);
  for (const [theirs, ours] of found.pairs) assert.equal(theirs.round, ours.round);
  assert.deepEqual(found.thrown, {});
});

for (const { sign, more, less } of [
  { sign: "steal", more: { steal: 0.021 }, less: { steal: 0.019 } },
  { sign: "queue", more: { queue: 3.8 }, less: { queue: 3.7 } },
  { sign: "spin", more: { spinMs: 15.1 }, less: { spinMs: 14.9 } },
] as const) {
  test(`${sign} throws a pair out, on either side, and is counted`, () => {
    for (const [theirs, ours] of [
      [side(8, { 3: more }), side(8)],
      [side(8), side(8, { 3: more })],
      [side(8, { 3: more }), side(8, { 3: more })],
    ] as const) {
      const found = calmPairs(theirs, ours);
      assert.deepEqual(kept(found), [0, 1, 2, 4, 5, 6, 7]);
      assert.deepEqual(found.thrown, { [sign]: 1 });
    }
    assert.equal(calmPairs(side(8, { 3: less }), side(8)).pairs.length, 8);
  });
}

test("an idle machine's queue may differ by a thread", () => {
  const idle = Object.fromEntries(Array.from({ length: 8 }, (_, round) => [round, { queue: 1 }]));
  assert.equal(calmPairs(side(8, { ...idle, 3: { queue: 1.9 } }), side(8, idle)).pairs.length, 8);
  assert.equal(calmPairs(side(8, { ...idle, 3: { queue: 2.1 } }), side(8, idle)).pairs.length, 7);
});

test("a load that lasts for the whole run throws nothing out: it falls on both sides", () => {
  const busy = Object.fromEntries(Array.from({ length: 8 }, (_, round) => [round, { queue: 12, spinMs: 40 }]));
  assert.equal(calmPairs(side(8, busy), side(8, busy)).pairs.length, 8);
});

test("a side that ended early has the pairs that it took part in", () =>
  assert.deepEqual(kept(calmPairs(side(8), side(5))), [0, 1, 2, 3, 4]));
