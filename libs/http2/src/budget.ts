/**
 * A token bucket for actions of the peer that cost it nothing. It starts full, refills with time,
 * and with useful work. It is a defence: its bound is far above what an honest peer does, and far
 * below what harms.
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

  /** Returns false if too few tokens are left. */
  spend(tokens = 1): boolean {
    this.#tokens -= tokens;
    if (this.#tokens < 0) this.#refill();
    return this.#tokens >= 0;
  }

  earn(tokens = 1): void {
    if (this.#tokens < this.#burst) this.#tokens += tokens;
  }

  /** Returns the time in which the budget refills what was spent beyond it. */
  get owedMs(): number {
    if (this.#tokens < 0) this.#refill();
    return Math.max(0, (-this.#tokens / this.#perSecond) * 1_000);
  }

  /** Reads the clock. Called only when tokens are missing, which most connections never reach. */
  #refill(): void {
    const now = performance.now();
    // A debt is no larger than the burst, or a flood of minutes would count for hours.
    const before = Math.max(this.#tokens, -this.#burst);
    this.#tokens = Math.min(this.#burst, before + ((now - this.#filledAt) / 1_000) * this.#perSecond);
    this.#filledAt = now;
  }
}
