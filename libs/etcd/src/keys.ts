/** One key, or all keys that start with a prefix. */
export type Keys =
  | { readonly key: string; readonly prefix?: never }
  | { readonly prefix: string; readonly key?: never };

/** Returns the bounds of a range as etcd's messages have them. */
export function boundsOf(keys: Keys): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  if (keys.key !== undefined) return { key: Buffer.from(keys.key), rangeEnd: new Uint8Array() };
  const prefix = Buffer.from(keys.prefix);
  return { key: prefix.length === 0 ? Buffer.of(0) : prefix, rangeEnd: endOf(prefix) };
}

/** Returns the first key after all with the prefix: its last byte plus one. */
function endOf(prefix: Buffer): Uint8Array {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] ?? 0;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, last), Buffer.of(byte + 1)]);
  }
  return Buffer.of(0); // All keys.
}
