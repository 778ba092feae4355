/**
 * Waits for one promise at a time, until something is over: then the wait resolves with undefined, and so do later ones.
 * `Promise.race` with the end of a long stream would keep a reaction for every message until that end.
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
