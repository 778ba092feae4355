import { createPublicKey, type KeyObject } from "node:crypto";
import { isObject } from "./json.ts";

/** The algorithms that a verifier may take: asymmetric, and no others. */
export const algorithms = ["ES256", "EdDSA", "RS256", "PS256"] as const;

export type Algorithm = (typeof algorithms)[number];

/** A public key of the issuer. One object stands for one key until the issuer removes it. */
export interface VerificationKey {
  readonly id: string | undefined;
  readonly algorithms: readonly Algorithm[];
  readonly key: KeyObject;
  /** All that the issuer says of the key. Equal text means an equal key. */
  readonly text: string;
}

export interface KeySet {
  readonly keys: readonly VerificationKey[];
  /** One sentence for each key that is not used. */
  readonly ignored: readonly string[];
}

const maxKeys = 50;
const maxIdLength = 256;
const rsaBits = { least: 2_048, most: 8_192 };

/**
 * Returns the keys of a JWK Set (RFC 7517) that can verify signatures. Keys for another use are
 * ignored. Throws an Error with the reason if the set has no usable key, more than 50 keys, a
 * secret, or two usable keys of one `kid`.
 */
export function parseKeySet(document: unknown): KeySet {
  const jwks = isObject(document) ? document["keys"] : undefined;
  if (!Array.isArray(jwks)) throw new Error("keys: expected an array");
  if (jwks.length > maxKeys) throw new Error(`keys: ${jwks.length} entries, expected at most ${maxKeys}`);
  const keys: VerificationKey[] = [];
  const ignored: string[] = [];
  const ids = new Set<string | undefined>();
  for (const [index, jwk] of jwks.entries()) {
    const found = keyOf(jwk, `keys[${index}]`);
    if (typeof found === "string") {
      ignored.push(found);
      continue;
    }
    if (ids.has(found.id)) throw new Error(`keys[${index}].kid: expected one that no other key has`);
    ids.add(found.id);
    keys.push(found);
  }
  if (keys.length === 0) throw new Error(`keys: no key can verify signatures (${ignored.join("; ") || "empty"})`);
  return { keys, ignored };
}

/** Returns a key, or the reason to ignore it. Throws for a secret. */
function keyOf(jwk: unknown, at: string): VerificationKey | string {
  if (!isObject(jwk)) return `${at}: expected an object`;
  // An issuer that publishes secrets has lost them: none of its keys counts.
  if (jwk["kty"] === "oct" || jwk["d"] !== undefined || jwk["k"] !== undefined) {
    throw new Error(`${at}: expected a public key, found a secret`);
  }
  const { kid: id, use, key_ops: operations, alg } = jwk;
  if (id !== undefined && (typeof id !== "string" || id === "" || id.length > maxIdLength)) {
    return `${at}.kid: expected 1 to ${maxIdLength} characters`;
  }
  if (use !== undefined && use !== "sig") return `${at}.use: expected sig`;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    return `${at}.key_ops: expected verify`;
  }
  const key = publicKey(jwk);
  const fitting = key === undefined ? [] : algorithmsOf(key);
  if (key === undefined || fitting.length === 0) {
    return `${at}: expected a key for ES256, EdDSA or RSA of ${rsaBits.least} to ${rsaBits.most} bits`;
  }
  const named = fitting.filter((algorithm) => alg === undefined || alg === algorithm);
  if (named.length === 0) return `${at}.alg: expected ${fitting.join(" or ")}`;
  const text = JSON.stringify([id, named, key.export({ format: "jwk" })]);
  return { id, algorithms: named, key, text };
}

function publicKey(jwk: Readonly<Record<string, unknown>>): KeyObject | undefined {
  try {
    return createPublicKey({ format: "jwk", key: jwk });
  } catch {
    return undefined;
  }
}

/** Returns the algorithms that this kind of key is for. A key is never used for another one. */
function algorithmsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): readonly Algorithm[] {
  if (type === "ed25519") return ["EdDSA"];
  if (type === "ec") return details?.namedCurve === "prime256v1" ? ["ES256"] : [];
  const bits = type === "rsa" ? (details?.modulusLength ?? 0) : 0;
  return bits >= rsaBits.least && bits <= rsaBits.most ? ["RS256", "PS256"] : [];
}
