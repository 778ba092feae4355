import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { Semaphore } from "./semaphore.ts";

export interface PoolOptions {
  /** The most tasks that run at a time. */
  readonly concurrency: number;
  /** The most tasks that wait for their turn. The next one is refused. */
  readonly queue: number;
}

/**
 * A refusal: the pool runs and queues as many tasks as it may. The caller can retry later, or
 * elsewhere.
 */
export class PoolFullError extends ServiceError {
  static {
    this.prototype.name = "PoolFullError";
  }

  constructor(message: string) {
    super("resource_exhausted", message, { reason: "POOL_FULL" });
  }
}

/** A refusal: the pool is closed. */
export class PoolClosedError extends ServiceError {
  static {
    this.prototype.name = "PoolClosedError";
  }

  constructor() {
    super("unavailable", "the pool is closed", { reason: "POOL_CLOSED" });
  }
}

/**
 * A bulkhead that runs up to `concurrency` tasks at a time and queues up to `queue` more, in order.
 * Beyond that `run` rejects with `PoolFullError` at once, since an unbounded queue turns an
 * overload into an unbounded wait.
 */
export class Pool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #turns: Semaphore;
  #closed = false;
  readonly #idle = Promise.withResolvers<void>();

  constructor(options: PoolOptions) {
    const { concurrency, queue } = options;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1)
      throw new RangeError("a pool's concurrency must be at least 1");
    if (!Number.isSafeInteger(queue) || queue < 0)
      throw new RangeError("a pool's queue must be a whole number, at least 0");
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
   * Runs `task` when its turn comes, and settles as it does. Aborting removes a waiting task from
   * the queue. It does not stop a running one, so pass the signal to the task too. A task that
   * awaits `run` of its own pool can deadlock.
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

  /** Refuses new tasks. Resolves once all accepted ones have ended, also those in the queue. */
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
