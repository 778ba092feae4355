import { type Abortable, sleep } from "@plumbline/concurrency";

/** The source of time. Tests replace it. */
export interface Clock {
  /** Returns the milliseconds since the epoch, for the times of tokens. */
  wallMs(): number;
  /** Returns the milliseconds of a clock that never jumps, for ages and pauses. */
  elapsedMs(): number;
  /** Resolves after `ms`. Rejects with the signal's reason. */
  sleep(ms: number, options: Abortable): Promise<void>;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep,
};
