import { type Abortable, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { compactVerify, decodeProtectedHeader, errors } from "jose";
import { isApiKey } from "./api-key.ts";
import type { ApiKeys } from "./api-keys.ts";
import { type ClaimRules, principalOf } from "./claims.ts";
import { type Clock, systemClock } from "./clock.ts";
import { DenyList } from "./deny-list.ts";
import { invalid, TokenError } from "./errors.ts";
import { type Algorithm, algorithms, type VerificationKey } from "./key-set.ts";
import type { KeySource } from "./key-source.ts";
import type { Principal } from "./principal.ts";
import { digestOf, TokenCache, type Verified } from "./token-cache.ts";

/** The result of one call of `verify`, for metrics and the audit log. */
export interface Verification {
  /** `denied` is a valid token on the deny list; `unavailable` was not verified. */
  readonly outcome: "ok" | "invalid" | "expired" | "denied" | "unavailable";
  /** `none` is an API key, which takes a digest and a look-up each time. */
  readonly cache: "hit" | "miss" | "none";
}

export interface TokenVerifierOptions {
  readonly keys: KeySource;
  /** The name of this service, which tokens have in `aud`. */
  readonly audience: string;
  /** The default is all of ES256, EdDSA, RS256 and PS256. */
  readonly algorithms?: readonly Algorithm[] | undefined;
  /**
   * The media types of access tokens. The default is `at+jwt` (RFC 9068). A provider without it
   * needs `JWT`; tokens of such a type with `nonce` or `at_hash` are ID tokens and refused.
   */
  readonly tokenTypes?: readonly string[] | undefined;
  readonly denied?: DenyList | undefined;
  /** The API keys that are taken in the place of tokens; none if absent. */
  readonly apiKeys?: Pick<ApiKeys, "find"> | undefined;
  readonly onVerified?: ((verification: Verification) => void) | undefined;
  readonly clock?: Clock | undefined;
}

const maxTokenLength = 8_192;
const maxPending = 1_000;
const cacheBounds = { maxEntries: 10_000, maxAgeMs: 300_000 };

/**
 * Verifies access tokens (RFC 9068) of one issuer. A token that was verified before costs a digest
 * and a look-up, until it expires, its key is removed, or it is denied.
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #algorithms: readonly Algorithm[];
  readonly #tokenTypes: readonly string[];
  readonly #rules: ClaimRules;
  readonly #denied: DenyList;
  readonly #cache: TokenCache;
  readonly #pending = new Map<string, Promise<Verified>>();

  constructor(options: TokenVerifierOptions) {
    const { keys, audience, clock = systemClock, denied = new DenyList(), tokenTypes = ["at+jwt"] } = options;
    if (audience === "") throw new TypeError("audience: expected the name of this service, found an empty text");
    this.#options = options;
    this.#algorithms = options.algorithms ?? algorithms;
    const foreign = this.#algorithms.filter((algorithm) => !algorithms.includes(algorithm));
    if (foreign.length > 0) throw new TypeError(`algorithms: expected ${algorithms.join(", ")}, found ${foreign}`);
    this.#tokenTypes = tokenTypes.map((type) => type.toLowerCase());
    this.#rules = { issuer: keys.issuer, audience, clock };
    this.#denied = denied;
    this.#cache = new TokenCache({ ...cacheBounds, clock });
  }

  /** The number of tokens in the cache: at most 10,000. */
  get cachedTokens(): number {
    return this.#cache.size;
  }

  /**
   * Returns the principal of a token that was verified before, or of an API key, at the cost of a
   * digest. Returns undefined for all others, which `verify` takes or refuses.
   */
  known(token: string): Principal | undefined {
    const key = this.#findKey(token);
    const principal = key ?? this.#knownToken(token);
    if (principal === undefined || principal instanceof TokenError || this.#denied.denies(principal)) return undefined;
    this.#options.onVerified?.({ outcome: "ok", cache: key === undefined ? "hit" : "none" });
    return principal;
  }

  /**
   * Returns the principal of a token or an API key. Rejects with TokenError for one that is
   * refused, with `unavailable`, reason ISSUER_UNREACHABLE, while there are no keys of the issuer,
   * and with `resource_exhausted` while 1,000 tokens are being verified.
   */
  async verify(token: string, { signal }: Abortable = {}): Promise<Principal> {
    const key = this.#findKey(token);
    let cache: Verification["cache"] = key === undefined ? "miss" : "none";
    try {
      if (key instanceof TokenError) throw key;
      let principal = key;
      if (principal === undefined) {
        const digest = boundedDigestOf(token);
        if (digest === undefined) throw invalid("token", `at most ${maxTokenLength} characters`);
        const known = this.#cached(digest);
        if (known !== undefined) cache = "hit";
        ({ principal } = known ?? (await within(this.#verifyOnce(token, digest), { signal })));
      }
      if (this.#denied.denies(principal)) throw invalid(deniedPart, "a token that is not denied");
      this.#options.onVerified?.({ outcome: "ok", cache });
      return principal;
    } catch (error) {
      this.#options.onVerified?.({ outcome: outcomeOf(error), cache });
      throw error;
    }
  }

  /** Returns undefined for a token that is no API key, and for all where no keys are taken. */
  #findKey(token: string): Principal | TokenError | undefined {
    return isApiKey(token) ? this.#options.apiKeys?.find(token) : undefined;
  }

  #knownToken(token: string): Principal | undefined {
    const digest = boundedDigestOf(token);
    return digest === undefined ? undefined : this.#cached(digest)?.principal;
  }

  #cached(digest: string): Verified | undefined {
    const known = this.#cache.get(digest);
    if (known === undefined || this.#options.keys.isCurrent(known.key)) return known;
    this.#cache.delete(digest);
    return undefined;
  }

  /** Verifies a token once for all callers that wait for it. */
  #verifyOnce(token: string, digest: string): Promise<Verified> {
    const pending = this.#pending.get(digest);
    if (pending !== undefined) return pending;
    if (this.#pending.size >= maxPending) {
      throw new ServiceError("resource_exhausted", "too many access tokens are being verified", {
        reason: "VERIFIER_BUSY",
        retryAfterMs: 1_000,
      });
    }
    const verified = this.#verifyNow(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, verified);
    return verified;
  }

  async #verifyNow(token: string, digest: string): Promise<Verified> {
    const { algorithm, type, keyId } = this.#headerOf(token);
    const key = await this.#options.keys.find(keyId, algorithm);
    const payload = await payloadOf(token, key, algorithm);
    const verified = { principal: principalOf(payload, type, this.#rules), key };
    this.#cache.set(digest, verified);
    return verified;
  }

  /** Checks the header before any work with keys. */
  #headerOf(token: string): { algorithm: Algorithm; type: string; keyId: string | undefined } {
    if (token.split(".", 4).length !== 3) throw invalid("token", "a signed JWT of three parts");
    const header = decoded(token);
    const algorithm = this.#algorithms.find((name) => name === header.alg);
    if (algorithm === undefined) throw invalid("alg", `one of ${this.#algorithms.join(", ")}`);
    // A media type may come without "application/", in any case (RFC 7515, section 4.1.9).
    const type = typeof header.typ === "string" ? header.typ.toLowerCase().replace(/^application\//, "") : "";
    if (!this.#tokenTypes.includes(type)) throw invalid("typ", `one of ${this.#tokenTypes.join(", ")}`);
    // No extension is understood, so a critical one is refused, and so is an unencoded payload.
    if (header.crit !== undefined) throw invalid("crit", "none");
    if (header.b64 !== undefined) throw invalid("b64", "none");
    const { kid: keyId } = header;
    if (keyId !== undefined && typeof keyId !== "string") throw invalid("kid", "a text");
    // The header's own keys and addresses (jwk, jku, x5c, x5u) are never read.
    return { algorithm, type, keyId };
  }
}

/** Returns the digest of a token, or undefined for one that is too long to be hashed. */
function boundedDigestOf(token: string): string | undefined {
  return token.length > maxTokenLength ? undefined : digestOf(token);
}

async function payloadOf(token: string, { key }: VerificationKey, algorithm: Algorithm): Promise<Uint8Array> {
  try {
    const { payload } = await compactVerify(token, key, { algorithms: [algorithm] });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) throw invalid("signature", "one by the issuer's key");
    throw error;
  }
}

const deniedPart = "deny list";

function decoded(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw invalid("header", "a JSON object");
  }
}

function outcomeOf(error: unknown): Verification["outcome"] {
  if (!(error instanceof TokenError)) return "unavailable";
  if (error.part === deniedPart) return "denied";
  return error.reason === "TOKEN_EXPIRED" ? "expired" : "invalid";
}
