/** Makes tokens, right and wrong ones. Nothing of jose, so that a test may forge anything. */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Clock } from "../src/clock.ts";

export interface TestKey {
  readonly alg: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function testKey(alg: "ES256" | "EdDSA" | "RS256" | "PS256" | "ES384", bits = 2_048): TestKey {
  if (alg === "EdDSA") return { alg, ...generateKeyPairSync("ed25519") };
  if (alg === "ES256") return { alg, ...generateKeyPairSync("ec", { namedCurve: "P-256" }) };
  if (alg === "ES384") return { alg, ...generateKeyPairSync("ec", { namedCurve: "P-384" }) };
  return { alg, ...generateKeyPairSync("rsa", { modulusLength: bits }) };
}

export function jwkOf({ publicKey }: TestKey, kid: string | undefined, more: object = {}): Record<string, unknown> {
  return { ...publicKey.export({ format: "jwk" }), ...(kid !== undefined && { kid }), ...more };
}

export function base64url(value: unknown): string {
  return Buffer.from(typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value)).toString(
    "base64url",
  );
}

/** Returns a token with this header and this payload, whatever they are. */
export function signed(header: object, payload: unknown, key: TestKey): string {
  const data = `${base64url(header)}.${base64url(payload)}`;
  return `${data}.${base64url(signature(data, key))}`;
}

export function signature(data: string, { alg, privateKey: key }: TestKey): Buffer {
  const bytes = Buffer.from(data);
  if (alg === "EdDSA") return sign(null, bytes, key);
  if (alg === "ES256") return sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" });
  if (alg === "ES384") return sign("sha384", bytes, { key, dsaEncoding: "ieee-p1363" });
  if (alg === "PS256") return sign("sha256", bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  return sign("sha256", bytes, key);
}

/** Returns a token whose signature is an HMAC with `secret`: an attack on keys taken as secrets. */
export function hmacSigned(header: object, payload: unknown, secret: string | Buffer): string {
  const data = `${base64url(header)}.${base64url(payload)}`;
  return `${data}.${createHmac("sha256", secret).update(data).digest("base64url")}`;
}

/** A clock that moves only when a test says so. Sleepers wake when their time has come. */
export class TestClock implements Clock {
  #ms = 0;
  readonly #start: number;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  constructor(start = 1_800_000_000_000) {
    this.#start = start;
  }

  wallMs(): number {
    return this.#start + this.#ms;
  }

  elapsedMs(): number {
    return this.#ms;
  }

  /** The number of sleepers, and the time until the first of them wakes. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  get nextMs(): number {
    return Math.min(...Array.from(this.#sleepers, ({ at }) => at)) - this.#ms;
  }

  async sleep(ms: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { at: this.#ms + ms, wake: resolve };
    const abort = (): void => reject(signal?.reason);
    this.#sleepers.add(sleeper);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener("abort", abort);
    }
  }

  advance(ms: number): void {
    this.#ms += ms;
    for (const { at, wake } of this.#sleepers) if (at <= this.#ms) wake();
  }
}
