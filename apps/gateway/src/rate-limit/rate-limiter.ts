/** A rate: how many requests are allowed on average, and how many at once. */
export interface Rate {
  /** Requests per second on average. 0 sets no limit. */
  readonly perSecond: number;
  /** Requests allowed at once after a pause. */
  readonly burst: number;
}

/** The decision on one request, with the numbers that the `RateLimit` headers carry. */
export interface Decision {
  readonly allowed: boolean;
  /** Requests that would still be allowed right now. */
  readonly remaining: number;
  /** Time until the next request is allowed. 0 if it is allowed now. */
  readonly retryAfterMs: number;
  /** Time until the whole burst is available again. */
  readonly resetMs: number;
}

/**
 * The rates in force. They are read with each request, so a change applies from the next one on.
 */
export interface RateLimits {
  readonly perClient: Rate;
  readonly global: Rate;
}

/** The decisions on one request by its client's rate and by the global rate. */
export interface Verdict {
  readonly client: Decision;
  /**
   * Absent when the client's own rate refused the request: it then uses up nothing of the global
   * rate.
   */
  readonly global?: Decision | undefined;
}

/**
 * The port of the rate limit. Its adapters pass one suite, test/limiter-conformance.ts.
 *
 * `take` counts one request of `client` and decides. It decides synchronously where no I/O is
 * needed.
 */
export interface RateLimiter {
  take(client: string, limits: RateLimits): Verdict | Promise<Verdict>;
}
