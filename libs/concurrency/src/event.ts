import type { Abortable } from "./abortable.ts";
import { List } from "./list.ts";
import { onAbort } from "./on-abort.ts";
import { after } from "./timer.ts";

export interface EventWaitOptions extends Abortable {
  /** The longest wait in milliseconds. Zero or less does not wait. No limit by default. */
  readonly ms?: number | undefined;
}

/**
 * An auto-reset event: .NET's `AutoResetEvent`, Tokio's `Notify`. It wakes a loop when there may be
 * work:
 *
 *     for (;;) {
 *       while (queue.length > 0) await handle(queue.shift());
 *       await arrived.wait({ signal }); // The producer calls `arrived.set()` after each push.
 *     }
 *
 * - `set` wakes the waiter that has waited longest. Without a waiter the event stays set, and the
 *   next `wait` returns at once and resets it. Setting an event that is already set does nothing:
 *   ten sets before a wait wake it once.
 * - A wake-up is never lost. A waiter that times out or aborts takes none, and one that was woken
 *   stays woken even if its signal aborts before it runs.
 *
 * It carries no data. If each value counts, use a `Channel`. If all waiters must wake at once,
 * abort a signal.
 */
export class Event {
  readonly #waiters = new List<() => void>();
  #isSet = false;

  /** True if the next `wait` will return at once. */
  get isSet(): boolean {
    return this.#isSet;
  }

  set(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#isSet = true;
    else next.value();
  }

  /**
   * Waits until the event is set, and resets it. Resolves with true, or with false if `ms` pass
   * first. Rejects with the signal's reason, also when the event is set.
   */
  async wait({ ms = Number.POSITIVE_INFINITY, signal }: EventWaitOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#isSet) {
      this.#isSet = false;
      return true;
    }
    if (ms <= 0) return false;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const place = this.#waiters.append(() => resolve(true));
    using _timer = after(ms, () => {
      if (this.#waiters.remove(place)) resolve(false);
    });
    using _link = onAbort(signal, () => {
      if (this.#waiters.remove(place)) reject(signal?.reason);
    });
    return await promise;
  }
}
