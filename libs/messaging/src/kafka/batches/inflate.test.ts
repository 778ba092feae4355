import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test, { describe } from "node:test";
import { compressionsAlgorithms } from "@platformatic/kafka";
import * as fc from "fast-check";
import { inflate } from "./inflate.ts";

const codecs = [
  ["gzip", 1],
  ["snappy", 2],
  ["lz4", 3],
  ["zstd", 4],
] as const;

/** Data with repetitions near and far, and parts that cannot be compressed. */
function mixed(bytes: number): Buffer {
  const parts = [Buffer.alloc(70_000, "abcab"), randomBytes(5_000), Buffer.alloc(300_000), randomBytes(70_000)];
  const once = Buffer.concat(parts);
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / once.length) }, () => once)).subarray(0, bytes);
}

for (const [name, codec] of codecs) {
  void describe(name, () => {
    const compress = (data: Buffer) => Buffer.from(compressionsAlgorithms[name].compressSync(data));

    test("any data comes back as it was", () => {
      const chunk = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(500).fill(7)));
      fc.assert(
        fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
          const data = Buffer.concat(chunks);
          assert.ok(inflate(codec, compress(data), 10_000).equals(data));
        }),
        { numRuns: 50 },
      );
      const large = mixed(2_000_000);
      assert.ok(inflate(codec, compress(large), large.length).equals(large));
    });

    test("data over the bound is refused, and little more than the bound is allocated", () => {
      const bomb = compress(Buffer.alloc(100_000_000));
      const before = process.memoryUsage();
      assert.throws(
        () => inflate(codec, bomb, 1_000_000),
        new RegExp(`${name}: it inflates to more than 1000000 bytes`),
      );
      const after = process.memoryUsage();
      assert.ok(after.arrayBuffers - before.arrayBuffers < 20_000_000);
      const exact = compress(Buffer.alloc(1_000_000, 7));
      assert.equal(inflate(codec, exact, 1_000_000).length, 1_000_000);
      assert.throws(() => inflate(codec, exact, 999_999), /inflates to more/);
    });

    test("damaged data is refused or read within the bound, and never hangs", () => {
      const whole = compress(mixed(5_000));
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), fc.boolean(), (at, byte, cut) => {
          const damaged = Buffer.from(whole);
          damaged[at] = byte;
          try {
            const read = inflate(codec, cut ? damaged.subarray(0, at) : damaged, 10_000);
            assert.ok(read.length <= 10_000);
          } catch (error) {
            assert.ok(error instanceof RangeError, String(error));
          }
        }),
        { numRuns: 200 },
      );
    });
  });
}

test("snappy with the framing of Java clients is read", () => {
  const blocks = [Buffer.alloc(40_000, "ab"), randomBytes(1_000)];
  const framed = blocks.map((block) => {
    const compressed = Buffer.from(compressionsAlgorithms.snappy.compressSync(block));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(compressed.length);
    return Buffer.concat([size, compressed]);
  });
  const head = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  const data = Buffer.concat([head, ...framed]);
  assert.ok(inflate(2, data, 50_000).equals(Buffer.concat(blocks)));
  assert.throws(() => inflate(2, data, 40_500), /snappy: it inflates to more than 40500 bytes/);
});

test("an unknown codec is refused", () => {
  assert.throws(() => inflate(7, Buffer.alloc(10), 100), /codec 7 is not known/);
});
