import { type BackgroundWork, background } from "./background.ts";
import { sleep } from "./sleep.ts";

export interface RepeatOptions {
  /** The time from the end of one run to the start of the next, on average. */
  readonly everyMs: number;
  /**
   * Receives the failure of a run that was not asked to stop. The next run is tried all the same.
   */
  readonly onFailure: (error: unknown) => void;
  /** From 0 to below 1, as `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/**
 * Runs `work` about every `everyMs` until disposed, one run at a time. Disposing aborts the run and
 * waits for its end. The pauses vary from half to one and a half of `everyMs`, so that processes
 * that start together do not run together.
 */
export function repeat(work: BackgroundWork, options: RepeatOptions): AsyncDisposable {
  const { everyMs, onFailure, random = Math.random } = options;
  return background(async (signal) => {
    for (;;) {
      await sleep(everyMs * (0.5 + random()), { signal });
      try {
        await work(signal);
      } catch (error) {
        signal.throwIfAborted();
        onFailure(error);
      }
    }
  });
}
