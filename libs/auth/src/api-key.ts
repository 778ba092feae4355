import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/** A new API key. Its text is for its owner alone; the id and the digest are no secrets. */
export interface NewApiKey {
  readonly text: string;
  readonly id: string;
  /** The SHA-256 of the text, in hexadecimal digits. */
  readonly digest: string;
}

/** An API key with the right form and checksum. If it exists is another question. */
export interface WrittenApiKey {
  readonly id: string;
  readonly digest: Buffer;
}

const prefix = "plk_";
const idBytes = 8;
const secretBytes = 32;
const form = /^plk_([0-9A-Za-z]{11})_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/;

/**
 * Returns a key `plk_ID_SECRET_CRC`: 64 random bits that name it, 256 that are the secret, and a
 * checksum by which a scanner for secrets knows a key from what looks like one.
 */
export function newApiKey(): NewApiKey {
  const id = base62(randomBytes(idBytes), 11);
  const body = `${prefix}${id}_${base62(randomBytes(secretBytes), 43)}`;
  const text = `${body}_${checksumOf(body)}`;
  return { text, id, digest: hash("sha256", text, "hex") };
}

/** Returns true for a bearer token that is meant as an API key. No JWT starts so. */
export function isApiKey(token: string): boolean {
  return token.startsWith(prefix);
}

/** Returns the id and digest of a key, or undefined for a text with a wrong form or checksum. */
export function readApiKey(text: string): WrittenApiKey | undefined {
  const id = form.exec(text)?.[1];
  if (id === undefined) return undefined;
  const end = text.lastIndexOf("_");
  if (checksumOf(text.slice(0, end)) !== text.slice(end + 1)) return undefined;
  return { id, digest: hash("sha256", text, "buffer") };
}

/** Returns the name of a key as the client of a request: in the audit log and in the deny list. */
export function clientOfApiKey(id: string): string {
  return `${prefix}${id}`;
}

function checksumOf(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return base62(bytes, 6);
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Returns the bytes as a number in base 62 with `length` digits, the first of which may be 0. */
function base62(bytes: Buffer, length: number): string {
  let rest = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (let at = 0; at < length; at++) {
    text = `${digits[Number(rest % 62n)]}${text}`;
    rest /= 62n;
  }
  return text;
}
