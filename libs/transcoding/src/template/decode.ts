import { ServiceError } from "@plumbline/errors";

/** Decodes a variable of one part: all of it, a `%2F` too. Throws ServiceError invalid_argument when it is broken. */
export function decodeWhole(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ServiceError("invalid_argument", "The path has a broken percent-encoding.", { reason: "MALFORMED_PATH" });
  }
}

/**
 * Decodes a variable of several parts. `%2F` is left as it is (google/api/http.proto): decoded, it could not be told from
 * the slashes that divide the parts.
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
