import { type Abortable, deadline, onAbort } from "@plumbline/concurrency";

/** A bell for one loop: however often it was rung while the loop was busy, the next `wait` returns at once, once. */
export class Wake {
  #rung = false;
  #waiter: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#waiter?.();
  }

  /** Until rung, or `ms` are over. Rejects with the signal's reason. */
  async wait(ms: number, options: Abortable = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiter = resolve;
      using limit = deadline(ms, { signal });
      using _ = onAbort(limit.signal, resolve);
      await promise;
      this.#waiter = undefined;
    }
    this.#rung = false;
    signal?.throwIfAborted();
  }
}
