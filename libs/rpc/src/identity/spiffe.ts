import { X509Certificate } from "node:crypto";

/** The identity of the other end of a connection: its SPIFFE id, or the reason why it has none. */
export type SpiffeIdentity =
  | { readonly id: string }
  | { readonly fault: "missing" | "invalid"; readonly detail: string };

export const noCertificate: SpiffeIdentity = { fault: "missing", detail: "the client showed no certificate" };

/** An id: its trust domain, then a path of segments that are no dots (SPIFFE-ID, 2.1 and 2.2). */
const pattern = /^spiffe:\/\/([a-z0-9._-]{1,255})(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;

const longestId = 2_048;

/** Returns the trust domain of a SPIFFE id with a path; undefined for any other text. */
export function trustDomainOf(id: string): string | undefined {
  return id.length > longestId ? undefined : pattern.exec(id)?.[1];
}

/**
 * Returns the identity that a leaf certificate in DER gives (X509-SVID, 2 and 4): exactly one URI
 * among its names, `spiffe://` with the trust domain and a path that is not the root. The caller
 * has verified its signature. Never throws.
 */
export function identityOf(der: Uint8Array, trustDomain: string): SpiffeIdentity {
  try {
    if (new X509Certificate(der).ca) return invalid("the certificate is that of an authority");
    const uris = urisOf(der);
    const [uri = "", ...others] = uris;
    if (uris.length === 0) return invalid("the certificate has no URI");
    if (others.length > 0) return invalid(`the certificate has ${uris.length} URIs, expected one`);
    const domain = trustDomainOf(uri);
    if (domain === undefined) return invalid("the certificate's URI is no SPIFFE id");
    return domain === trustDomain ? { id: uri } : invalid("the SPIFFE id is of another trust domain");
  } catch {
    return invalid("the certificate is malformed");
  }
}

function invalid(detail: string): SpiffeIdentity {
  return { fault: "invalid", detail };
}

const sequence = 0x30;
const octetString = 0x04;
const objectId = 0x06;
const boolean = 0x01;
/** The context tag [3] of a certificate's extensions. */
const extensionsTag = 0xa3;
/** The context tag [6] of a name that is a URI. */
const uriTag = 0x86;
/** 2.5.29.17, subjectAltName. */
const subjectAltName = "551d11";

/**
 * Returns the URIs of a certificate's subjectAltName. Reads the DER, since Node gives names as text
 * that a name can forge. Throws if the structure is not as RFC 5280 (4.1) says.
 */
export function urisOf(certificate: Uint8Array): readonly string[] {
  const [outer, ...rest] = elements(certificate);
  const [tbs] = elements(contentOf(outer, sequence));
  if (rest.length > 0) throw malformed();
  const fields = elements(contentOf(tbs, sequence));
  const wrapped = fields.filter(({ tag }) => tag === extensionsTag);
  if (wrapped.length === 0) return [];
  if (wrapped.length > 1) throw malformed();
  const [list, ...more] = elements(contentOf(wrapped[0], extensionsTag));
  if (more.length > 0) throw malformed();
  const names = elements(contentOf(list, sequence))
    .map((extension) => elements(contentOf(extension, sequence)))
    .filter(([id]) => Buffer.from(contentOf(id, objectId)).toString("hex") === subjectAltName);
  if (names.length === 0) return [];
  const [[, ...parts] = []] = names;
  if (names.length > 1 || parts.length > 2 || (parts.length === 2 && parts[0]?.tag !== boolean)) throw malformed();
  const [general, ...after] = elements(contentOf(parts.at(-1), octetString));
  if (after.length > 0) throw malformed();
  return elements(contentOf(general, sequence))
    .filter(({ tag }) => tag === uriTag)
    .map(({ content }) => asciiOf(content));
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** Returns the elements that fill `bytes`. Throws if one has no definite, shortest length. */
function elements(bytes: Uint8Array): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = byteAt(bytes, at++);
    if ((tag & 0x1f) === 0x1f) throw malformed(); // A tag of several octets: certificates have none.
    let length = byteAt(bytes, at++);
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0 || octets > 3) throw malformed();
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + byteAt(bytes, at++);
      if (length < 0x80 || length < 256 ** (octets - 1)) throw malformed();
    }
    if (length > bytes.length - at) throw malformed();
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw malformed();
  return byte;
}

function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw malformed();
  return element.content;
}

function asciiOf(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte < 0x21 || byte > 0x7e)) throw malformed();
  return Buffer.from(bytes).toString("latin1");
}

function malformed(): Error {
  return new Error("the certificate is malformed");
}
