/** The most that one client may hold, and all clients together. */
export interface ShareLimits {
  readonly perClient: number;
  readonly inAll: number;
}

/**
 * The amounts of a resource that clients hold: bytes or places. A client that holds nothing is
 * always let in while there is room for all, whatever others hold. Only clients that hold something
 * are remembered.
 */
export class Shares {
  readonly #limits: () => ShareLimits;
  readonly #byClient = new Map<string, number>();
  #held = 0;

  constructor(limits: () => ShareLimits) {
    this.#limits = limits;
  }

  get held(): number {
    return this.#held;
  }

  get clients(): number {
    return this.#byClient.size;
  }

  /** Returns the bound that `amount` more would exceed; undefined if it fits. */
  exceeded(client: string, amount: number): "client" | "all" | undefined {
    if (this.#held === 0) return undefined;
    const { perClient, inAll } = this.#limits();
    const own = this.#byClient.get(client) ?? 0;
    if (own > 0 && own + amount > perClient) return "client";
    return this.#held + amount > inAll ? "all" : undefined;
  }

  add(client: string, amount: number): void {
    this.#held += amount;
    this.#byClient.set(client, (this.#byClient.get(client) ?? 0) + amount);
  }

  remove(client: string, amount: number): void {
    this.#held -= amount;
    const left = (this.#byClient.get(client) ?? 0) - amount;
    if (left > 0) this.#byClient.set(client, left);
    else this.#byClient.delete(client);
  }
}
