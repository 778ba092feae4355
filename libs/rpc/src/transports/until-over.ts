/**
 * A wait for one promise at a time that also ends when the call is over. It resolves with undefined
 * then, and so do later waits. `within` with a signal does the same at six times the CPU per
 * message. `Promise.race` with the end of a stream would keep a reaction for every message.
 */
export class UntilOver {
  #isOver = false;
  #wake: (() => void) | undefined;

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async wait<T>(promise: Promise<T>): Promise<T | undefined> {
    const { promise: woken, resolve, reject } = Promise.withResolvers<T | undefined>();
    promise.then(resolve, reject);
    this.#wake = () => resolve(undefined);
    if (this.#isOver) this.#wake();
    try {
      return await woken;
    } finally {
      this.#wake = undefined;
    }
  }
}
