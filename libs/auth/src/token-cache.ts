import { hash } from "node:crypto";
import type { Clock } from "./clock.ts";
import type { VerificationKey } from "./key-set.ts";
import type { Principal } from "./principal.ts";

/** A verified token, and the key that verified it. */
export interface Verified {
  readonly principal: Principal;
  readonly key: VerificationKey;
}

export interface TokenCacheOptions {
  readonly maxEntries: number;
  readonly maxAgeMs: number;
  readonly clock: Clock;
}

/** Returns the SHA-256 of a token. The cache holds digests, so a heap dump shows no token. */
export function digestOf(token: string): string {
  return hash("sha256", token, "base64");
}

/**
 * The results of successful verifications by digest. An entry ends with its token, and after
 * `maxAgeMs`. A full cache drops its oldest entry.
 */
export class TokenCache {
  readonly #entries = new Map<string, Verified & { readonly endsAt: number }>();
  readonly #options: TokenCacheOptions;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(digest: string): Verified | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    const { clock } = this.#options;
    if (clock.elapsedMs() < entry.endsAt && clock.wallMs() < entry.principal.expiresMs) return entry;
    this.#entries.delete(digest);
    return undefined;
  }

  /** Adds a result. `get` has found none, so that the order of entries is that of their ages. */
  set(digest: string, { principal, key }: Verified): void {
    const { maxEntries, maxAgeMs, clock } = this.#options;
    const oldest = this.#entries.size < maxEntries ? undefined : this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(digest, { principal, key, endsAt: clock.elapsedMs() + maxAgeMs });
  }

  delete(digest: string): void {
    this.#entries.delete(digest);
  }
}
