import { type Backoff, deadline, deadlineOf, fullJitter, sleep, steadyNow } from "@plumbline/concurrency";
import { codeOf, isServiceError } from "@plumbline/errors";
import type { Metadata } from "../metadata.ts";
import { pushbackName } from "../status.ts";
import type { CallOptions } from "./channel.ts";
import type { RetryThrottle } from "./retry-throttle.ts";

export interface Retries extends Backoff {
  /** The number of attempts, the first included. */
  readonly attempts: number;
  /**
   * The deadline over all attempts of a call that sets none. Without it each attempt has the
   * channel's.
   */
  readonly timeoutMs: number | undefined;
  /** The method's name in metrics. */
  readonly method: string;
  readonly throttle: RetryThrottle;
}

/** The bound of gRPC A6, "Limits on Retries". */
const mostAttempts = 5;

/**
 * Makes a call, and retries it after `unavailable` as gRPC A6 says. It does not retry once the
 * server has sent headers, while the channel lacks tokens, or if the server refuses retries. It
 * waits as long as the server asks, or with full jitter.
 */
export async function retrying<T>(
  call: (options: CallOptions) => Promise<T>,
  options: CallOptions,
  { attempts, timeoutMs, method, throttle, ...backoff }: Retries,
): Promise<T> {
  using limit = deadline(options.timeoutMs ?? timeoutMs ?? Number.POSITIVE_INFINITY, options);
  const { signal } = limit;
  const most = Math.min(attempts, mostAttempts);
  // The waits since the server's last pushback. After a pushback the backoff starts over.
  for (let [attempt, waits] = [1, 1]; ; attempt++, waits++) {
    const outcome = new AttemptOutcome(options);
    try {
      const answer = await call({
        ...options,
        signal,
        previousAttempts: attempt - 1,
        onHeaders: outcome.onHeaders,
        onTrailers: outcome.onTrailers,
      });
      outcome.tell();
      return answer;
    } catch (error) {
      const { pushback } = outcome;
      if (pushback === "none" && !isRetryable(error)) throttle.failed();
      if (isRetryable(error) && !outcome.isCommitted && attempt < most && !signal.aborted) {
        const isTold = typeof pushback === "number";
        const waitMs = isTold ? pushback : Math.max(fullJitter(waits, backoff), askedMs(error));
        if (isTold) waits = 0;
        // A wait past the deadline is not begun: the error at hand says more than a timeout.
        if (steadyNow() + waitMs < (deadlineOf(signal) ?? Number.POSITIVE_INFINITY)) {
          const outcome = pushback === "none" ? "refused" : throttle.allows ? "made" : "throttled";
          throttle.count(method, outcome);
          if (outcome === "made") {
            await sleep(waitMs, { signal });
            continue;
          }
        }
      }
      outcome.tell();
      throw error;
    }
  }
}

/**
 * The headers and trailers of one attempt. The caller gets the trailers of the last attempt only.
 */
class AttemptOutcome {
  isCommitted = false;
  readonly #options: CallOptions;
  #trailers: Metadata | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  /** Headers may carry data for the caller, so from then on this attempt's outcome is final. */
  readonly onHeaders = (headers: Metadata): void => {
    this.isCommitted = true;
    this.#options.onHeaders?.(headers);
  };

  readonly onTrailers = (trailers: Metadata): void => {
    this.#trailers = trailers;
  };

  /**
   * Returns the pushback in milliseconds, "none" if the server refuses retries, or undefined if it
   * sent no pushback.
   */
  get pushback(): number | "none" | undefined {
    return pushbackOf(this.#trailers);
  }

  tell(): void {
    if (this.#trailers !== undefined) this.#options.onTrailers?.(this.#trailers);
  }
}

export function isRetryable(error: unknown): boolean {
  return codeOf(error) === "unavailable";
}

/** Parses a 32-bit integer without leading zeros. A negative or malformed value refuses retries. */
function pushbackOf(trailers: Metadata | undefined): number | "none" | undefined {
  if (trailers === undefined || !trailers.has(pushbackName)) return undefined;
  const text = trailers.get(pushbackName) ?? "";
  return /^(?:0|[1-9]\d{0,9})$/.test(text) && Number(text) < 2 ** 31 ? Number(text) : "none";
}

/** Returns the delay of google.rpc.RetryInfo, or 0. */
function askedMs(error: unknown): number {
  return isServiceError(error) ? (error.retryAfterMs ?? 0) : 0;
}
