import { AsyncLocalStorage } from "node:async_hooks";
import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";

export interface BatchesOptions<T> {
  /** The most items of one batch. */
  readonly most: number;
  /** Two items of one key are never in the same batch: the later one waits for the next. */
  readonly keyOf: (item: T) => string;
}

/**
 * Runs a batch of items and returns, in their order, the result of each, or a promise for one that
 * it does apart. The signal aborts once all calls of the batch were given up.
 */
export type RunBatch<T, R> = (items: readonly T[], signal: AbortSignal) => Promise<readonly (R | Promise<R>)[]>;

interface Waiting<T, R> {
  readonly item: T;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: R) => void;
  readonly reject: (reason: unknown) => void;
  readonly within: <V>(work: () => V) => V;
}

/**
 * Lets calls that come at the same time share one statement or request. One batch runs at a time,
 * and the next one has what came meanwhile, the oldest first. So a lone call waits for no other,
 * and the more come, the less each costs. Its callers bound how many wait.
 *
 * If a batch fails, each of its items that was not given up runs alone, all at once, so that one
 * bad item fails only its own call. If all fail, as without a database, each thus runs twice before
 * its call fails. A pool of connections or the like bounds them. A failure may hide a success, such
 * as a lost answer to a commit: items must bear to run again. A run that hangs holds up all that
 * come later, so it needs a time limit of its own.
 */
export class Batches<T, R> {
  readonly #run: RunBatch<T, R>;
  readonly #options: BatchesOptions<T>;
  #waiting: Waiting<T, R>[] = [];
  #isRunning = false;

  constructor(run: RunBatch<T, R>, options: BatchesOptions<T>) {
    if (!Number.isInteger(options.most) || options.most < 1) throw new RangeError("most must be a whole number from 1");
    this.#run = run;
    this.#options = options;
  }

  /**
   * Returns the result of the item. Rejects with the signal's reason at once: an item that still
   * waits never runs then, and a batch that runs is stopped once all of its calls were given up.
   */
  async add(item: T, { signal }: Abortable = {}): Promise<R> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const one = { item, signal, resolve, reject, within: AsyncLocalStorage.snapshot() };
    this.#waiting.push(one);
    using _ = onAbort(signal, () => {
      this.#waiting = this.#waiting.filter((other) => other !== one);
      reject(signal?.reason);
    });
    // Calls of the same turn share a batch.
    if (!this.#isRunning) {
      this.#isRunning = true;
      setImmediate(() => void this.#runAll());
    }
    return await promise;
  }

  async #runAll(): Promise<void> {
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) await this.#runOne(batch);
    this.#isRunning = false;
  }

  /** Takes the oldest items that wait, without a second one of a key. */
  #next(): Waiting<T, R>[] {
    const batch = new Map<string, Waiting<T, R>>();
    const left: Waiting<T, R>[] = [];
    for (const one of this.#waiting) {
      const key = this.#options.keyOf(one.item);
      if (batch.size < this.#options.most && !batch.has(key)) batch.set(key, one);
      else left.push(one);
    }
    this.#waiting = left;
    return [...batch.values()];
  }

  /** Runs a batch in the context of its first call. Never rejects. */
  async #runOne(batch: readonly Waiting<T, R>[]): Promise<void> {
    const [first] = batch;
    const stop = new AbortController();
    using links = new DisposableStack();
    let left = batch.length;
    for (const { signal } of batch) links.use(onAbort(signal, () => --left === 0 && stop.abort(signal?.reason)));
    const items = batch.map(({ item }) => item);
    try {
      const results = await first?.within(() => this.#run(items, stop.signal));
      if (results?.length !== batch.length)
        throw new Error(`a batch of ${batch.length} has ${results?.length} results`);
      for (const [index, { resolve, reject }] of batch.entries()) {
        // Its failure is handled also if its call was given up.
        Promise.resolve(results[index] as R | Promise<R>).then(resolve, reject);
      }
    } catch (error) {
      if (batch.length === 1) first?.reject(error);
      else await Promise.all(batch.filter(({ signal }) => signal?.aborted !== true).map((one) => this.#runOne([one])));
    }
  }
}
