/**
 * Returns the partition of a key by the hash of Kafka's Java client (murmur2, made positive). A
 * topic that moves between adapters keeps the partition of each key, and producers in other
 * languages agree with this one.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

/**
 * Returns the 32-bit signed murmur2 hash with the seed 0x9747b28c, which equals
 * `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const whole = data.length & ~3;
  let h = 0x9747b28c ^ data.length;
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(view.getInt32(i, true), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = data.length - whole;
  if (rest > 0) {
    if (rest > 2) h ^= (data[whole + 2] ?? 0) << 16;
    if (rest > 1) h ^= (data[whole + 1] ?? 0) << 8;
    h = Math.imul(h ^ (data[whole] ?? 0), m);
  }
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
