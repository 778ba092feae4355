/**
 * Fetched batches, made readable for a client library before it sees them.
 *
 * Neither library bounds what a compressed batch inflates to, and both fail on a batch that they
 * cannot read, again at each fetch. So batches are inflated here, and those that cannot be read are
 * replaced by one record with their place and first bytes. The partition goes on behind them.
 */
import { inflate } from "./inflate.ts";
import { unreadable, unreadableHeaders } from "./unreadable.ts";

/** The bounds of inflating. */
export const batchBounds = {
  /** A batch that inflates to more is not read. */
  batchBytes: 8_388_608,
  batchRecords: 50_000,
  /** Once a response has this much, the rest is left out and fetched again. */
  responseBytes: 16_777_216,
  responseRecords: 100_000,
} as const;

/** The bytes and records of one response that were inflated so far. */
export interface Spent {
  bytes: number;
  records: number;
}

/** The positions of the fields in the head of a batch of format 2. */
const head = { length: 8, magic: 16, crc: 17, attributes: 21, lastOffsetDelta: 23, firstTimestamp: 27, count: 57 };
const headBytes = 61;
/** The length of a batch counts from here. */
const afterLength = 12;
const codecMask = 7;
const keptBytes = 1_024;

/**
 * Returns the batches without compression, within the bounds. Returns the same bytes if there is
 * nothing to change. Batches of older formats stay as they are: brokers since Kafka 3.0 store none.
 */
export function readableBatches(batches: Buffer, spent: Spent): Buffer {
  const parts: Buffer[] = [];
  let changed = false;
  let at = 0;
  while (batches.length - at >= headBytes) {
    const end = at + afterLength + batches.readInt32BE(at + head.length);
    if (end < at + headBytes || end > batches.length) break; // The rest of a batch that was cut off.
    if (spent.bytes >= batchBounds.responseBytes || spent.records >= batchBounds.responseRecords) {
      changed = true;
      break;
    }
    const batch = batches.subarray(at, end);
    const readable = batch.readInt8(head.magic) === 2 ? readableBatch(batch, spent) : batch;
    changed ||= readable !== batch;
    parts.push(readable);
    at = end;
  }
  return changed ? Buffer.concat(parts) : batches;
}

function readableBatch(batch: Buffer, spent: Spent): Buffer {
  const codec = batch.readInt16BE(head.attributes) & codecMask;
  const count = batch.readInt32BE(head.count);
  try {
    if (count > batchBounds.batchRecords) throw new RangeError(`it has more than ${batchBounds.batchRecords} records`);
    spent.records += Math.max(0, count);
    if (codec === 0) return batch;
    const records = inflate(codec, batch.subarray(headBytes), batchBounds.batchBytes);
    spent.bytes += records.length;
    return withRecords(batch, count, records);
  } catch (error) {
    // The decoder may have inflated all that it was allowed to.
    spent.bytes += codec === 0 ? 0 : batchBounds.batchBytes;
    spent.records++;
    const first = batch.readBigInt64BE(0);
    const lastDelta = batch.readInt32BE(head.lastOffsetDelta);
    const headers = unreadableHeaders({
      offsets: [first, first + BigInt(lastDelta)],
      bytes: batch.length,
      reason: error instanceof Error ? error.message : String(error),
    });
    const record = oneRecord(lastDelta, batch.subarray(headBytes, headBytes + keptBytes), {
      ...headers,
      ce_type: unreadable.type,
    });
    return withRecords(batch, 1, record);
  }
}

/** Returns a batch with the same offsets and times, and these records without compression. */
function withRecords(batch: Buffer, count: number, records: Buffer): Buffer {
  const result = Buffer.concat([batch.subarray(0, headBytes), records]);
  result.writeInt32BE(result.length - afterLength, head.length);
  result.writeInt16BE(batch.readInt16BE(head.attributes) & ~codecMask, head.attributes);
  result.writeInt32BE(count, head.count);
  return result;
}

function oneRecord(offsetDelta: number, value: Buffer, headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers);
  const body = Buffer.concat([
    Buffer.from([0]), // Attributes.
    varint(0), // The time since the batch's first record.
    varint(offsetDelta),
    varint(-1), // No key.
    varint(value.length),
    value,
    varint(entries.length),
    ...entries.flatMap(([name, text]) => [sized(name), sized(text)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([varint(bytes.length), bytes]);
}

/** Returns a signed number in zigzag encoding, seven bits per byte. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
