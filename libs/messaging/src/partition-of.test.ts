import assert from "node:assert/strict";
import { test } from "node:test";
import { murmur2, partitionOf } from "./partition-of.ts";

// The vectors of Kafka's own UtilsTest.testMurmur2.
for (const [text, hash] of [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
] as const) {
  test(`the hash of ${text} is the one Kafka's clients compute`, () => assert.equal(murmur2(Buffer.from(text)), hash));
}

test("every key, the empty one too, has a partition inside the topic", () => {
  for (const key of ["", "a", "order-1", "é", "\u0000"]) {
    const partition = partitionOf(key, 6);
    assert.ok(partition >= 0 && partition < 6, `${key}: ${partition}`);
  }
});

test("a thousand ids spread over six partitions", () => {
  const counts = Array.from({ length: 6 }, () => 0);
  for (let i = 0; i < 1000; i++) counts[partitionOf(`order-${i}`, 6)]! += 1;
  assert.ok(Math.min(...counts) > 100, counts.join());
});
