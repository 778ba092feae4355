import assert from "node:assert/strict";
import test from "node:test";
import { IS_CONTROL, IS_TRANSACTIONAL } from "@platformatic/kafka";
import { decode, type FetchedPartition } from "./fetch.ts";

/** Returns a batch of `count` records. A producer other than -1 wrote it within a transaction. */
function batch(firstOffset: bigint, count: number, producerId = -1n, control = 0) {
  return {
    firstOffset,
    lastOffsetDelta: count - 1,
    firstTimestamp: 1_000n,
    attributes: (producerId === -1n ? 0 : IS_TRANSACTIONAL) | control,
    producerId,
    records: Array.from({ length: count }, (_, offsetDelta) => ({
      offsetDelta,
      timestampDelta: BigInt(offsetDelta),
      key: null,
      value: null,
      headers: [
        [Buffer.from("name"), Buffer.from("first")],
        [Buffer.from("name"), Buffer.from("last")],
      ],
    })),
  };
}

function partition(batches: ReturnType<typeof batch>[], aborted: { producerId: bigint; firstOffset: bigint }[] = []) {
  return { records: batches, abortedTransactions: aborted } as unknown as FetchedPartition;
}

const offsets = (fetched: FetchedPartition, position: bigint) =>
  decode(fetched, position).records.map(({ offset }) => Number(offset));

test("a batch that starts before the position yields its records from the position on", () => {
  const fetched = partition([batch(10n, 5), batch(15n, 2)]);
  assert.deepEqual(offsets(fetched, 12n), [12, 13, 14, 15, 16]);
  assert.equal(decode(fetched, 12n).next, 17n);
});

test("a marker yields no record and moves the position", () => {
  const fetched = partition([batch(0n, 1, 7n), batch(1n, 1, 7n, IS_CONTROL)]);
  assert.deepEqual(offsets(fetched, 0n), [0]);
  assert.equal(decode(fetched, 0n).next, 2n);
});

test("records of an aborted transaction are skipped, even if its marker is not fetched yet", () => {
  const aborted = [{ producerId: 7n, firstOffset: 1n }];
  const fetched = partition([batch(0n, 1), batch(1n, 2, 7n), batch(3n, 1, 8n)], aborted);
  assert.deepEqual(offsets(fetched, 0n), [0, 3]);
  assert.equal(decode(fetched, 0n).next, 4n);
});

test("two aborted transactions of one producer are skipped, and a committed one between them is not", () => {
  const aborted = [
    { producerId: 7n, firstOffset: 4n },
    { producerId: 7n, firstOffset: 0n },
  ];
  const marker = (offset: bigint) => batch(offset, 1, 7n, IS_CONTROL);
  const transactions = [batch(0n, 1, 7n), marker(1n), batch(2n, 1, 7n), marker(3n), batch(4n, 1, 7n), marker(5n)];
  assert.deepEqual(offsets(partition(transactions, aborted), 0n), [2]);
});

test("an empty response does not move the position", () => {
  assert.equal(decode(partition([]), 5n).next, 5n);
});

test("the last value of a repeated header counts", () => {
  const [record] = decode(partition([batch(0n, 1)]), 0n).records;
  assert.equal(record?.headers.get("name"), "last");
  assert.equal(record?.timestamp, 1_000);
});
