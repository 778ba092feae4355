import { randomUUID } from "node:crypto";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from "jose";

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export const algorithm = "ES256";

/**
 * Three keys at most: the one that signs, the next one, and the one before. A key is published
 * before it signs, and stays for one rotation after, so that a rotation refuses no token.
 */
export class SigningKeys {
  #previous: SigningKey | undefined;
  #current: SigningKey;
  #next: SigningKey;
  #rotating: Promise<void> | undefined;

  private constructor(current: SigningKey, next: SigningKey) {
    this.#current = current;
    this.#next = next;
  }

  static async make(): Promise<SigningKeys> {
    return new SigningKeys(await makeKey(), await makeKey());
  }

  get current(): Pick<SigningKey, "kid" | "privateKey"> {
    return this.#current;
  }

  /** The public keys, the newest first. */
  get published(): readonly JWK[] {
    const keys = [this.#next, this.#current, ...(this.#previous === undefined ? [] : [this.#previous])];
    return keys.map(({ publicJwk }) => publicJwk);
  }

  /** Signs with the next key from now on. Calls at the same time are one rotation. */
  async rotate(): Promise<void> {
    this.#rotating ??= this.#rotateOnce().finally(() => {
      this.#rotating = undefined;
    });
    await this.#rotating;
  }

  async #rotateOnce(): Promise<void> {
    const made = await makeKey();
    this.#previous = this.#current;
    this.#current = this.#next;
    this.#next = made;
  }
}

async function makeKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm);
  const kid = randomUUID();
  return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, use: "sig", alg: algorithm } };
}
