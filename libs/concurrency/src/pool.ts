import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { Semaphore } from "./semaphore.ts";

export interface PoolOptions {
  /** How many tasks run at a time. */
  readonly concurrency: number;
  /** How many may wait for their turn; 0 for none. The next is refused. */
  readonly queue: number;
}

/** As many run and wait as may. The caller can try later, or elsewhere. */
export class PoolFullError extends ServiceError {
  static {
    this.prototype.name = "PoolFullError";
  }

  constructor(message: string) {
    super("resource_exhausted", message, { reason: "POOL_FULL" });
  }
}

/** The pool was closed and takes no more. */
export class PoolClosedError extends ServiceError {
  static {
    this.prototype.name = "PoolClosedError";
  }

  constructor() {
    super("unavailable", "the pool is closed", { reason: "POOL_CLOSED" });
  }
}

/**
 * Runs up to `concurrency` tasks at a time, with up to `queue` more waiting their turn in order: a bulkhead. Beyond that
 * `run` rejects with `PoolFullError` at once, for a queue without end turns an overload into a wait without end.
 */
export class Pool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #turns: Semaphore;
  #closed = false;
  readonly #idle = Promise.withResolvers<void>();

  constructor(options: PoolOptions) {
    const { concurrency, queue } = options;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) throw new RangeError("a pool runs at least one task");
    if (!Number.isSafeInteger(queue) || queue < 0) throw new RangeError("a pool's queue has a length");
    this.#options = { concurrency, queue };
    this.#turns = new Semaphore(concurrency);
  }

  get running(): number {
    return this.#options.concurrency - this.#turns.available;
  }

  get queued(): number {
    return this.#turns.waiting;
  }

  /**
   * Runs `task` when its turn comes, and settles as it does. Aborting takes a waiting task out of the queue; one that
   * runs is not let go before it ends, so give it the signal too. A task that waits for `run` of its own pool can wait
   * for itself.
   */
  async run<T>(task: () => Promise<T>, options: Abortable = {}): Promise<T> {
    options.signal?.throwIfAborted();
    if (this.#closed) throw new PoolClosedError();
    const { concurrency, queue } = this.#options;
    if (this.#turns.available === 0 && this.queued >= queue) {
      throw new PoolFullError(`the pool is full: ${concurrency} running and ${queue} waiting`);
    }
    try {
      using _turn = this.#turns.tryAcquire() ?? (await this.#turns.acquire(options));
      return await task();
    } finally {
      this.#settle();
    }
  }

  /** Refuses new tasks and resolves once all it accepted have ended, those that wait included. */
  close(): Promise<void> {
    this.#closed = true;
    this.#settle();
    return this.#idle.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #settle(): void {
    if (this.#closed && this.running === 0) this.#idle.resolve();
  }
}
