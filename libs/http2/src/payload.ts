import { ConnectionError, ErrorCode } from "./error-code.ts";

// What the payloads of several types of frames have in common.

/** The octets of padding at the end of a payload that says it has some. */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  if (end === start) throw new ConnectionError(ErrorCode.frameSizeError, "a padded frame without the padding's length");
  const padding = bytes[start]!;
  if (padding >= end - start) throw new ConnectionError(ErrorCode.protocolError, "more padding than payload");
  return padding;
}

/** The stream that a priority says this one depends on. */
export function dependencyAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & 0x7fff_ffff;
}
