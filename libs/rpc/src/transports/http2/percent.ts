// Printable ASCII is sent as it is, except the percent sign (gRPC over HTTP2, "Status-Message").
const plain = /^[\x20-\x24\x26-\x7e]*$/;

/** Encodes a `grpc-message`: octets of UTF-8 that are not printable ASCII become %XX. */
export function percentEncode(text: string): string {
  // A field value may not begin or end with a blank, so these are encoded too.
  if (plain.test(text) && text === text.trim()) return text;
  let encoded = "";
  const bytes = Buffer.from(text, "utf8");
  for (const [at, byte] of bytes.entries()) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25;
    const isInnerBlank = byte === 0x20 && at > 0 && at < bytes.length - 1;
    encoded +=
      isPlain || isInnerBlank ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/**
 * Decodes a `grpc-message`. An invalid encoding is decoded as far as possible, since a message must
 * not cause an error.
 */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  const octets = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(octets, "latin1").toString("utf8");
}
