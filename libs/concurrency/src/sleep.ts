import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";
import { after } from "./timer.ts";

/** Resolves after `ms` milliseconds; rejects with the signal's reason when that aborts first. */
export function sleep(ms: number, options: Abortable = {}): Promise<void> {
  const { signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason);
    return promise;
  }
  const timer = after(ms, () => {
    link[Symbol.dispose]();
    resolve();
  });
  const link = onAbort(signal, () => {
    timer[Symbol.dispose]();
    reject(signal?.reason);
  });
  return promise;
}

/**
 * Resolves when `signal` aborts. For the last line of a `main`: it holds on to the signal until then, so a loop or a
 * race uses `onAbort`, which can be taken back.
 */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    onAbort(signal, resolve);
  });
}
