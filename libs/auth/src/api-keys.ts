import { timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { clientOfApiKey, readApiKey } from "./api-key.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { DenyList } from "./deny-list.ts";
import { invalid, TokenError } from "./errors.ts";
import type { Principal } from "./principal.ts";

/** An API key as a service knows it: who calls with it, and the digest of its text. */
export interface ApiKeyEntry {
  readonly id: string;
  /** The SHA-256 of the key, in hexadecimal digits. */
  readonly digest: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  /** The times as text: 2026-11-28T12:00:00Z. */
  readonly created: string;
  readonly until: string;
}

export interface ApiKeysOptions {
  /** The list that ends the streams of removed keys. */
  readonly denied: DenyList;
  readonly clock?: Clock | undefined;
}

interface Held {
  readonly digest: Buffer;
  readonly principal: Principal;
}

const noDigest = Buffer.alloc(32);

/** The API keys that are taken. A removed or changed one is refused from the next call on. */
export class ApiKeys {
  readonly #options: ApiKeysOptions;
  #held: ReadonlyMap<string, Held> = new Map();

  constructor(options: ApiKeysOptions) {
    this.#options = options;
  }

  /** Replaces the keys. Open streams of a key that is gone or changed end; those of others stay. */
  replace(entries: readonly ApiKeyEntry[]): void {
    const before = this.#held;
    const held = new Map<string, Held>();
    for (const entry of entries) {
      const [old, next] = [before.get(entry.id), heldOf(entry)];
      held.set(entry.id, old !== undefined && isDeepStrictEqual(old, next) ? old : next);
    }
    this.#held = held;
    for (const [id, old] of before) if (held.get(id) !== old) this.#options.denied.revoke(old.principal);
  }

  /** Returns the caller whose key this is, or the refusal, which is the same for all wrong keys. */
  find(text: string): Principal | TokenError {
    const key = readApiKey(text);
    if (key === undefined) return invalid("API key", "plk_ID_SECRET_CRC, with the right checksum");
    const held = this.#held.get(key.id);
    // The same work for an id that does not exist as for a wrong secret.
    const isRight = timingSafeEqual(key.digest, held?.digest ?? noDigest);
    if (held === undefined) return invalid("API key's id", "that of a key in the file");
    if (!isRight) return invalid("API key's secret", "that of the key with this id");
    const { clock = systemClock } = this.#options;
    if (held.principal.expiresMs <= clock.wallMs()) return new TokenError("TOKEN_EXPIRED", "until", "a later time");
    return held.principal;
  }
}

function heldOf({ id, digest, subject, scopes, created, until }: ApiKeyEntry): Held {
  const principal = Object.freeze({
    subject,
    client: clientOfApiKey(id),
    scopes: Object.freeze([...scopes]),
    issuedMs: Date.parse(created),
    expiresMs: Date.parse(until),
  });
  return { digest: Buffer.from(digest, "hex"), principal };
}
