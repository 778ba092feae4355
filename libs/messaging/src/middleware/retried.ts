import { type RetryOptions, retry } from "@plumbline/concurrency";
import type { Middleware } from "../broker.ts";
import { isPermanent } from "./permanent.ts";

/** The handler's last error, `cause`, after `attempts` attempts. */
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
 * Tries again in place, with full jitter: for what passes in seconds. The key's later messages wait, and a slot is held,
 * so keep it short; what lasts longer is for retry topics and dead letters, further out. Errors that no repetition
 * mends (`invalid_argument`, `unimplemented`, `data_loss`) are not tried again.
 */
export function retried(options: InPlaceRetries): Middleware {
  const { retryable = (error) => !isPermanent(error) } = options;
  return (next) => async (delivery) => {
    const { signal } = delivery;
    let attempts = 0;
    const attempt = (): Promise<void> => {
      attempts++;
      // Counted on from the broker's own redeliveries, so that the handler sees each number once.
      return next({ ...delivery, attempt: (delivery.attempt - 1) * options.attempts + attempts });
    };
    try {
      await retry(attempt, { ...options, retryable, signal });
    } catch (error) {
      // After an abort nobody counts attempts: the next owner of the partition starts anew.
      throw signal.aborted ? error : new AttemptsExhaustedError(attempts, error);
    }
  };
}
