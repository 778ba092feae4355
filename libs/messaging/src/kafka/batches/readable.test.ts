import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { createRecordsBatch, Reader, readRecordsBatches } from "@platformatic/kafka";
import { batchBounds, readableBatches, type Spent } from "./readable.ts";

type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** Returns a batch of these values as a producer would send it, at this offset of its log. */
function batch(offset: bigint, values: readonly Buffer[], compression: Compression = "none"): Buffer {
  const messages = values.map((value) => ({ topic: "t", key: Buffer.from("k"), value, timestamp: 1_000n }));
  const bytes = Buffer.from(createRecordsBatch(messages, { compression }).buffer);
  bytes.writeBigInt64BE(offset);
  return bytes;
}

/** Returns the offset, the value and the headers of each record. */
function read(batches: Buffer): { offset: bigint; value: Buffer; headers: Record<string, string> }[] {
  return readRecordsBatches(Reader.from(batches)).flatMap(({ firstOffset, records }) =>
    records.map(({ offsetDelta, value, headers }) => ({
      offset: firstOffset + BigInt(offsetDelta),
      value: value ?? Buffer.alloc(0),
      headers: Object.fromEntries(headers.map(([name, text]) => [String(name), String(text)])),
    })),
  );
}

const nothing = (): Spent => ({ bytes: 0, records: 0 });
const small = [Buffer.from("a"), Buffer.from("b")];
/** Inflates to more than one batch may. */
const zeros = Array.from({ length: 9 }, () => Buffer.alloc(1_000_000));

test("batches without compression are the same bytes", () => {
  const batches = Buffer.concat([batch(0n, small), batch(2n, small)]);
  assert.equal(readableBatches(batches, nothing()), batches);
});

for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
  test(`a batch with ${compression} is inflated, and one over the bound becomes a record with its place`, () => {
    const bomb = batch(2n, zeros, compression);
    const batches = Buffer.concat([batch(0n, small, compression), bomb, batch(11n, small, compression)]);
    const records = read(readableBatches(batches, nothing()));
    assert.deepEqual(
      records.map(({ offset }) => offset),
      [0n, 1n, 10n, 11n, 12n],
    );
    const [a, b, unreadable] = records;
    assert.deepEqual([String(a?.value), String(b?.value)], ["a", "b"]);
    assert.deepEqual(unreadable?.headers, {
      "unreadable-offsets": "2-10",
      "unreadable-bytes": String(bomb.length),
      "unreadable-reason": `${compression}: it inflates to more than 8388608 bytes`,
      ce_type: "plumbline.messaging.UnreadableBatch",
    });
    assert.ok(unreadable?.value.equals(bomb.subarray(61, 61 + 1_024)));
  });
}

const damaged = batch(0n, small, "gzip");
randomBytes(10).copy(damaged, 61);
const unknown = batch(0n, small);
unknown.writeInt16BE(6, 21);

for (const [name, bad, reason] of [
  ["damaged data", damaged, /^gzip: /],
  ["an unknown codec", unknown, /^codec 6 is not known$/],
] as const) {
  test(`a batch with ${name} becomes a record, and the next batch is read`, () => {
    const [first, ...rest] = read(readableBatches(Buffer.concat([bad, batch(2n, small)]), nothing()));
    assert.match(first?.headers["unreadable-reason"] ?? "", reason);
    assert.deepEqual(
      [first, ...rest].map((record) => record?.offset),
      [1n, 2n, 3n],
    );
  });
}

test("a batch with more records than allowed becomes one record", () => {
  const many = Array.from({ length: batchBounds.batchRecords + 1 }, () => Buffer.alloc(0));
  const records = read(readableBatches(batch(0n, many), nothing()));
  assert.deepEqual(
    records.map(({ offset, headers }) => [offset, headers["unreadable-reason"]]),
    [[BigInt(batchBounds.batchRecords), "it has more than 50000 records"]],
  );
});

test("once a response has inflated enough, the rest is left out, and comes with the next one", () => {
  const bombs = Array.from({ length: 5 }, (_, index) => batch(BigInt(9 * index), zeros, "gzip"));
  const spent = nothing();
  const first = read(readableBatches(Buffer.concat(bombs), spent));
  assert.deepEqual(
    first.map(({ offset }) => offset),
    [8n, 17n],
  );
  // Another partition of the same response.
  assert.equal(readableBatches(batch(0n, small), spent).length, 0);
  const next = read(readableBatches(Buffer.concat(bombs.slice(2)), nothing()));
  assert.deepEqual(
    next.map(({ offset }) => offset),
    [26n, 35n],
  );
});

test("the rest of a batch that the broker cut off is left to the client", () => {
  const batches = Buffer.concat([batch(0n, small), batch(2n, small).subarray(0, 70)]);
  assert.equal(readableBatches(batches, nothing()), batches);
});
