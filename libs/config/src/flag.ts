import { onAbort } from "@plumbline/concurrency";

/** Says that something happened since it was last lowered; how often does not matter, so nothing queues up. */
export class Flag {
  readonly #signal: AbortSignal;
  #raised = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  /** It will not be raised any more, because of `error`: `next` throws it. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  /** Whether it was raised. */
  lower(): boolean {
    const raised = this.#raised;
    this.#raised = false;
    return raised;
  }

  /** Resolves once it is raised, or the signal has aborted. */
  async next(): Promise<void> {
    if (!this.#raised && !this.#failure) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      using _ = onAbort(this.#signal, resolve);
      await promise;
      this.#wake = undefined;
    }
    if (this.#failure) throw this.#failure.error;
  }
}
