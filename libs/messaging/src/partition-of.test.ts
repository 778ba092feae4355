import assert from "node:assert/strict";
import { test } from "node:test";
import { murmur2, partitionOf } from "./partition-of.ts";

// From Kafka's UtilsTest.testMurmur2.
for (const [text, hash] of [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
] as const) {
  test(`the hash of ${text} equals that of Kafka's clients`, () => assert.equal(murmur2(Buffer.from(text)), hash));
}

test("every key, including the empty one, has a partition of the topic", () => {
  for (const key of ["", "a", "order-1", "é", "\u0000"]) {
    const partition = partitionOf(key, 6);
    assert.ok(partition >= 0 && partition < 6, `${key}: ${partition}`);
  }
});

test("a thousand ids are spread over six partitions", () => {
  const counts = Array.from({ length: 6 }, () => 0);
  for (let i = 0; i < 1000; i++) counts[partitionOf(`order-${i}`, 6)]! += 1;
  assert.ok(Math.min(...counts) > 100, counts.join());
});
