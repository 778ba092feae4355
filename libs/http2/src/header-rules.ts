import { FieldKind, type HeaderField } from "./hpack/field.ts";

const request = FieldKind.method | FieldKind.scheme | FieldKind.path;
const pseudo = request | FieldKind.authority | FieldKind.status;

/**
 * Returns true if a request keeps the rules of RFC 9113, 8.2 and 8.3. One that breaks them is never
 * processed.
 */
export function isRequest(fields: readonly HeaderField[]): boolean {
  const seen = pseudoHeaders(fields);
  if ((seen & (FieldKind.malformed | FieldKind.status)) !== 0) return false;
  if ((seen & request) === request) return fields.every(({ kind, value }) => kind !== FieldKind.path || value !== "");
  // CONNECT has no scheme and no path (8.5).
  return (seen & pseudo) === (FieldKind.method | FieldKind.authority) && isConnect(fields);
}

export function isResponse(fields: readonly HeaderField[]): boolean {
  const seen = pseudoHeaders(fields);
  return (seen & pseudo) === FieldKind.status && (seen & FieldKind.malformed) === 0;
}

export function areTrailers(fields: readonly HeaderField[]): boolean {
  return (pseudoHeaders(fields) & (pseudo | FieldKind.malformed)) === 0;
}

/** Returns the `content-length`; undefined without one, NaN for an invalid one. */
export function contentLength(fields: readonly HeaderField[]): number | undefined {
  const field = fields.find(({ kind }) => kind === FieldKind.contentLength);
  if (field === undefined) return undefined;
  return /^\d+$/.test(field.value) ? Number(field.value) : Number.NaN;
}

/** Returns the kinds of all fields. Pseudo-headers come first and once; others are `malformed`. */
function pseudoHeaders(fields: readonly HeaderField[]): number {
  let seen = 0;
  let isPastPseudo = false;
  for (const { kind } of fields) {
    if ((kind & pseudo) === 0) {
      isPastPseudo = true;
      seen |= kind;
    } else {
      if (isPastPseudo || (seen & kind) !== 0) return FieldKind.malformed;
      seen |= kind;
    }
  }
  return seen;
}

function isConnect(fields: readonly HeaderField[]): boolean {
  return fields.some(({ kind, value }) => kind === FieldKind.method && value === "CONNECT");
}
