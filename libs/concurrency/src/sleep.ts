import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";
import { after } from "./timer.ts";

/** Resolves after `ms` milliseconds. Rejects with the signal's reason if it aborts first. */
export async function sleep(ms: number, options: Abortable = {}): Promise<void> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _timer = after(ms, resolve);
  using _link = onAbort(signal, () => reject(signal?.reason));
  await promise;
}

/**
 * Resolves when `signal` aborts. For the last line of a `main`: it listens to the signal until
 * then. In a loop or a race use `onAbort`, which can be disposed.
 */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    onAbort(signal, resolve);
  });
}
