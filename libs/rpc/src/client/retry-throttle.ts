import type { Counter, Metrics } from "@plumbline/telemetry";

export interface RetryThrottling {
  /** 10 when not given. Retries stop while half of them or less are left. */
  readonly maxTokens?: number | undefined;
  /** What each success gives back, 0.1 when not given. */
  readonly tokenRatio?: number | undefined;
}

/**
 * The tokens of one channel, which all its clients share (gRPC A6, "Throttling Retry Attempts"): each call that ends as `unavailable`
 * takes one, each that succeeds gives some back. A server in trouble gets its calls once, not each of them three times.
 */
export class RetryThrottle {
  readonly #maxTokens: number;
  readonly #tokenRatio: number;
  readonly #metrics: Pick<Metrics, "counter">;
  /** Made with the first retry: most channels have none. */
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

  /** Counts a call that is made again, or would be if there were tokens, or if its server had not asked for none. */
  count(method: string, outcome: "made" | "throttled" | "refused"): void {
    this.#retries ??= this.#metrics.counter(
      "rpc_client_retries_total",
      "Calls made again, and those not made again for want of tokens or by the server's wish, by method.",
      ["method", "outcome"],
    );
    this.#retries.inc({ method, outcome });
  }
}
