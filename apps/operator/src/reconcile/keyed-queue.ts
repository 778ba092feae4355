import { type Backoff, Event, fullJitter, onAbort } from "@plumbline/concurrency";

export interface KeyedQueueOptions {
  /** The most keys that are worked on at a time. */
  readonly workers: number;
  readonly backoff: Backoff;
  /** Works on a key. A failure repeats it after the backoff. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
  readonly onFailure: (key: string, error: unknown) => void;
}

/**
 * A queue that holds each key once. A key is worked on by one worker at a time. One that is added
 * while it is worked on is worked on again afterwards, so no change is lost and none is done twice
 * for nothing.
 */
export class KeyedQueue {
  readonly #options: KeyedQueueOptions;
  /** Keys that wait, in the order of adding. */
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys that were added while they were worked on. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #arrived = new Event();

  constructor(options: KeyedQueueOptions) {
    this.#options = options;
  }

  /** The keys that wait for a worker. */
  get size(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#arrived.set();
  }

  /** Adds the key after a time, unless it is added before. For work on the key, while it runs. */
  addAfter(key: string, ms: number): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => this.add(key), ms),
    );
  }

  /** Works until the signal aborts. Resolves when all workers have ended. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    using _timers = onAbort(signal, () => {
      for (const timer of this.#timers.values()) clearTimeout(timer);
      this.#timers.clear();
    });
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [key] = this.#waiting;
      if (key === undefined) {
        await this.#arrived.wait({ signal }).catch(() => false);
        continue;
      }
      this.#waiting.delete(key);
      // Another key may wait for another worker, and the event holds one wake-up.
      if (this.#waiting.size > 0) this.#arrived.set();
      this.#running.add(key);
      let failure: { readonly error: unknown } | undefined;
      try {
        await this.#options.work(key, signal);
        this.#failures.delete(key);
      } catch (error) {
        failure = { error };
      }
      this.#running.delete(key);
      if (signal.aborted) return;
      if (failure !== undefined) {
        this.#options.onFailure(key, failure.error);
        const failures = (this.#failures.get(key) ?? 0) + 1;
        this.#failures.set(key, failures);
        const { backoff } = this.#options;
        this.addAfter(key, backoff.baseMs / 2 + fullJitter(failures, backoff));
      }
      if (this.#again.delete(key)) this.add(key);
    }
  }
}
