import { ConnectionError, ErrorCode } from "./error-code.ts";

// Parts that payloads of several frame types share.

/** Returns the octets of padding at the end of a padded payload. */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  if (end === start) throw new ConnectionError(ErrorCode.frameSizeError, "a padded frame without the padding's length");
  const padding = bytes[start]!;
  if (padding >= end - start) throw new ConnectionError(ErrorCode.protocolError, "more padding than payload");
  return padding;
}

/** Returns the stream that a priority depends on. */
export function dependencyAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & 0x7fff_ffff;
}
