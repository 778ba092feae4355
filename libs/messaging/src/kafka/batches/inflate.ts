import { constants, gunzipSync, zstdDecompressSync } from "node:zlib";
import { TooLargeError } from "./inflated.ts";
import { inflateLz4 } from "./lz4.ts";
import { inflateSnappy } from "./snappy.ts";

type Inflate = (data: Buffer, maxBytes: number) => Buffer;

/** The largest window of zstd that is allocated: 2 to the power of 23 bytes, 8 MiB. */
const zstdWindowLog = 23;

const codecs: readonly (readonly [name: string, inflate: Inflate] | undefined)[] = [
  undefined, // Not compressed.
  ["gzip", (data, maxOutputLength) => gunzipSync(data, { maxOutputLength })],
  ["snappy", inflateSnappy],
  ["lz4", inflateLz4],
  [
    "zstd",
    (data, maxOutputLength) =>
      zstdDecompressSync(data, { maxOutputLength, params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } }),
  ],
];

/**
 * Returns the inflated data of a batch. `codec` is the number in its attributes. Throws an error
 * that names the codec if the data is invalid, or as soon as it is more than `maxBytes`.
 */
export function inflate(codec: number, data: Buffer, maxBytes: number): Buffer {
  const [name, decode] = codecs[codec] ?? [];
  if (name === undefined || decode === undefined) throw new RangeError(`codec ${codec} is not known`);
  try {
    return decode(data, maxBytes);
  } catch (cause) {
    const tooLarge = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    const reason = tooLarge ? new TooLargeError(maxBytes).message : cause instanceof Error ? cause.message : "invalid";
    throw new RangeError(`${name}: ${reason}`, { cause });
  }
}
