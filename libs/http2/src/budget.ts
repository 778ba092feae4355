/**
 * A token bucket: what a peer may do for nothing. It begins full, fills with time, and with work that is worth something.
 * For defences: the bound is far above what any honest peer does, and far below what hurts.
 */
export class Budget {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAt = performance.now();

  constructor(options: { readonly burst: number; readonly perSecond: number }) {
    this.#burst = options.burst;
    this.#perSecond = options.perSecond;
    this.#tokens = options.burst;
  }

  /** False when there is nothing left to spend. */
  spend(tokens = 1): boolean {
    this.#tokens -= tokens;
    if (this.#tokens >= 0) return true;
    // The clock is asked only here: most connections never get this far.
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1_000) * this.#perSecond);
    this.#filledAt = now;
    return this.#tokens >= 0;
  }

  earn(tokens = 1): void {
    if (this.#tokens < this.#burst) this.#tokens += tokens;
  }
}
