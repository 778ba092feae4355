import { type Backoff, deadline, deadlineOf, fullJitter, sleep } from "@plumbline/concurrency";
import { codeOf, isServiceError } from "@plumbline/errors";
import type { Metadata } from "../metadata.ts";
import { pushbackName } from "../status.ts";
import type { CallOptions } from "./channel.ts";
import type { RetryThrottle } from "./retry-throttle.ts";

export interface Retries extends Backoff {
  /** In all, the first included. */
  readonly attempts: number;
  /** The deadline over all attempts of a call that sets none; without it each attempt has the channel's. */
  readonly timeoutMs: number | undefined;
  /** For the count. */
  readonly method: string;
  readonly throttle: RetryThrottle;
}

/** gRPC's own bound (A6, "Limits on Retries"). */
const mostAttempts = 5;

/**
 * Makes a call again after `unavailable`, as gRPC A6 says: not once the server has begun to answer, nor while the channel has too few
 * tokens, nor when the server asks for none. It waits as long as the server asks, or with full jitter.
 */
export async function retrying<T>(
  call: (options: CallOptions) => Promise<T>,
  options: CallOptions,
  { attempts, timeoutMs, method, throttle, ...backoff }: Retries,
): Promise<T> {
  using limit = deadline(options.timeoutMs ?? timeoutMs ?? Number.POSITIVE_INFINITY, options);
  const { signal } = limit;
  const most = Math.min(attempts, mostAttempts);
  // Waits since the server last said when to come: after that the backoff begins anew.
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
        // A wait that would outlast the deadline is not begun: the error that is known is worth more.
        if (Date.now() + waitMs < (deadlineOf(signal) ?? Number.POSITIVE_INFINITY)) {
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

/** What one attempt hears of its server. Its caller hears of the last one only. */
class AttemptOutcome {
  isCommitted = false;
  readonly #options: CallOptions;
  #trailers: Metadata | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  /** Headers may tell the caller something: from then on the answer is this attempt's. */
  readonly onHeaders = (headers: Metadata): void => {
    this.isCommitted = true;
    this.#options.onHeaders?.(headers);
  };

  readonly onTrailers = (trailers: Metadata): void => {
    this.#trailers = trailers;
  };

  /** How many milliseconds the server asks to wait; that it asks for no retry; undefined when it says nothing. */
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

/** A 32-bit integer without leading zeros. What is negative, or cannot be read, asks for no retry at all. */
function pushbackOf(trailers: Metadata | undefined): number | "none" | undefined {
  if (trailers === undefined || !trailers.has(pushbackName)) return undefined;
  const text = trailers.get(pushbackName) ?? "";
  return /^(?:0|[1-9]\d{0,9})$/.test(text) && Number(text) < 2 ** 31 ? Number(text) : "none";
}

/** The retry delay of google.rpc.RetryInfo. */
function askedMs(error: unknown): number {
  return isServiceError(error) ? (error.retryAfterMs ?? 0) : 0;
}
