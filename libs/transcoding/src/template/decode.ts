import { ServiceError } from "@plumbline/errors";

/**
 * Decodes a variable of one part, `%2F` included. Throws ServiceError invalid_argument for invalid
 * encoding.
 */
export function decodeWhole(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ServiceError("invalid_argument", "The path has an invalid percent-encoding. Write % itself as %25.", {
      reason: "MALFORMED_PATH",
    });
  }
}

/**
 * Decodes a variable of several parts. `%2F` stays encoded (google/api/http.proto), since a decoded
 * one would look like the slashes between the parts.
 */
export function decodeParts(parts: readonly string[]): string {
  return parts
    .map((part) =>
      part
        .split(/(%2F)/i)
        .map((piece, i) => (i % 2 === 0 ? decodeWhole(piece) : piece))
        .join(""),
    )
    .join("/");
}
