import { type RetryOptions, retry } from "@plumbline/concurrency";
import type { Middleware } from "../broker.ts";
import { isPermanent } from "./permanent.ts";

/** The error of a message that failed `attempts` times. `cause` is the handler's last error. */
export class AttemptsExhaustedError extends Error {
  static {
    this.prototype.name = "AttemptsExhaustedError";
  }
  readonly attempts: number;

  constructor(attempts: number, cause: unknown) {
    super(`not handled in ${attempts} attempts`, { cause });
    this.attempts = attempts;
  }
}

export type InPlaceRetries = Pick<RetryOptions, "attempts" | "baseMs" | "maxMs" | "random" | "retryable">;

/**
 * Retries a failed handler in place with full jitter, for failures that last seconds. The later
 * messages of the key wait and a slot is held, so the retries must be short. Retry topics and dead
 * letters, in the outer layers, cover longer failures. Permanent errors (`invalid_argument`,
 * `unimplemented`, `data_loss`) are not retried.
 */
export function retried(options: InPlaceRetries): Middleware {
  const { retryable = (error) => !isPermanent(error) } = options;
  return (next) => async (delivery) => {
    const { signal } = delivery;
    let attempts = 0;
    const attempt = (): Promise<void> => {
      attempts++;
      // Continues the broker's count of redeliveries, so that the handler sees each number once.
      return next({ ...delivery, attempt: (delivery.attempt - 1) * options.attempts + attempts });
    };
    try {
      await retry(attempt, { ...options, retryable, signal });
    } catch (error) {
      // After an abort the count no longer matters: the next owner of the partition starts at 1.
      throw signal.aborted ? error : new AttemptsExhaustedError(attempts, error);
    }
  };
}
