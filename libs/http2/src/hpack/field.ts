/**
 * A header field. Fields of the tables are shared between header lists, so a field's kind and
 * validity are determined once, when it is first seen, and not per request.
 */
export class HeaderField {
  readonly name: string;
  /** The octets as latin-1, unchanged. */
  readonly value: string;
  /** True if later blocks are likely to repeat it. Only then it enters the compression table. */
  readonly repeats: boolean;
  readonly kind: FieldKind;

  constructor(name: string, value: string, options: { readonly repeats?: boolean } = {}) {
    this.name = name;
    this.value = value;
    this.repeats = options.repeats ?? false;
    this.kind = kindOf(name, value);
  }

  /**
   * The size as RFC 7541 counts it, in the table (4.1) and in a header list (RFC 9113, 10.5.1):
   * octets and 32 for the entry.
   */
  get size(): number {
    return this.name.length + this.value.length + 32;
  }
}

/**
 * The kind of a field in the rules of HTTP/2 (RFC 9113, 8.2 and 8.3). Bits, so that a set of them
 * is a number.
 */
export const FieldKind = {
  regular: 0,
  method: 1,
  scheme: 2,
  authority: 4,
  path: 8,
  status: 16,
  contentLength: 32,
  /**
   * Never allowed in HTTP/2: an upper-case name, a field of the connection, an unknown
   * pseudo-header.
   */
  malformed: 64,
} as const;
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const special = new Map<string, FieldKind>([
  [":method", FieldKind.method],
  [":scheme", FieldKind.scheme],
  [":authority", FieldKind.authority],
  [":path", FieldKind.path],
  [":status", FieldKind.status],
  ["content-length", FieldKind.contentLength],
  // Fields of HTTP/1.1 for the next hop, for which HTTP/2 has frames (8.2.2).
  ["connection", FieldKind.malformed],
  ["proxy-connection", FieldKind.malformed],
  ["keep-alive", FieldKind.malformed],
  ["transfer-encoding", FieldKind.malformed],
  ["upgrade", FieldKind.malformed],
]);

// RFC 9110's token in lower case, and the octets that a value may not contain, begin or end with
// (RFC 9113, 8.2.1).
const wrongName = /[^!#$%&'*+.^_`|~0-9a-z-]/;
// A character above an octet would be truncated on the wire, possibly to a line feed.
const wrongValue = /[\0\r\n\u0100-\uffff]|^[ \t]|[ \t]$/;

function kindOf(name: string, value: string): FieldKind {
  if (wrongValue.test(value)) return FieldKind.malformed;
  const known = special.get(name);
  if (known !== undefined) return known;
  if (name === "te" && value !== "trailers") return FieldKind.malformed;
  return name === "" || wrongName.test(name) ? FieldKind.malformed : FieldKind.regular;
}
