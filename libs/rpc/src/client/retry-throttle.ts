import type { Counter, Metrics } from "@plumbline/telemetry";

export interface RetryThrottling {
  /** The most tokens; 10 if not given. Retries stop while half of them or fewer are left. */
  readonly maxTokens?: number | undefined;
  /** The tokens that a success returns; 0.1 if not given. */
  readonly tokenRatio?: number | undefined;
}

/**
 * The retry tokens of one channel, shared by its clients (gRPC A6, "Throttling Retry Attempts"). A
 * call that ends as `unavailable` takes one, and a success returns a part. So a server in trouble
 * is not called three times as often.
 */
export class RetryThrottle {
  readonly #maxTokens: number;
  readonly #tokenRatio: number;
  readonly #metrics: Pick<Metrics, "counter">;
  /** Created with the first retry: most channels have none. */
  #retries: Counter<"method" | "outcome"> | undefined;
  #tokens: number;

  constructor(options: RetryThrottling, metrics: Pick<Metrics, "counter">) {
    const { maxTokens = 10, tokenRatio = 0.1 } = options;
    if (!(maxTokens > 0 && tokenRatio > 0)) throw new RangeError("maxTokens and tokenRatio must be above zero");
    this.#maxTokens = maxTokens;
    this.#tokenRatio = tokenRatio;
    this.#metrics = metrics;
    this.#tokens = maxTokens;
  }

  get allows(): boolean {
    return this.#tokens > this.#maxTokens / 2;
  }

  succeeded(): void {
    this.#tokens = Math.min(this.#maxTokens, this.#tokens + this.#tokenRatio);
  }

  failed(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  /**
   * Counts a retry: made, not made for want of tokens, or not made because the server refused it.
   */
  count(method: string, outcome: "made" | "throttled" | "refused"): void {
    this.#retries ??= this.#metrics.counter(
      "rpc_client_retries_total",
      "Calls made again, and those not made again for want of tokens or by the server's wish, by method.",
      ["method", "outcome"],
    );
    this.#retries.inc({ method, outcome });
  }
}
