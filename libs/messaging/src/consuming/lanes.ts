import { type Backoff, fullJitter, type Semaphore, sleep } from "@plumbline/concurrency";
import { isServiceError } from "@plumbline/errors";

/**
 * One lane per key. Tasks of one key run one after another. Tasks of different keys run at once, as
 * far as `slots` allow.
 *
 * A task that throws runs again after a backoff. Its lane waits, but no slot does. A key that keeps
 * failing costs the other keys nothing until its later messages fill the member's backlog. After an
 * error with `retryAfterMs` the lane waits at least that long.
 *
 * Keys are not hashed onto a fixed number of lanes: two keys in one lane would wait for each
 * other's failures.
 */
export class Lanes {
  readonly #slots: Semaphore;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  readonly #lanes = new Map<string, Promise<boolean>>();

  constructor(slots: Semaphore, backoff: Backoff) {
    this.#slots = slots;
    this.#backoff = backoff;
  }

  /**
   * Runs `task` after the earlier ones of its key, again and again until an attempt returns.
   * Resolves with false if the lanes stopped before that. Never rejects: a task reports its own
   * errors.
   */
  async add(key: string, task: (attempt: number) => Promise<void>): Promise<boolean> {
    const outcome = this.#after(this.#lanes.get(key), task);
    this.#lanes.set(key, outcome);
    const done = await outcome;
    // A lane without tasks is removed, so that there are never more lanes than messages held.
    if (this.#lanes.get(key) === outcome) this.#lanes.delete(key);
    return done;
  }

  /**
   * Starts no further task. Waiting tasks resolve with false, and running ones continue to their
   * end.
   */
  stop(): void {
    this.#stopped.abort();
  }

  async #after(before: Promise<boolean> | undefined, task: (attempt: number) => Promise<void>): Promise<boolean> {
    await before;
    const { signal } = this.#stopped;
    try {
      for (let attempt = 1; ; attempt++) {
        const failure = await this.#run(task, attempt);
        if (failure === undefined) return true;
        await sleep(Math.max(fullJitter(attempt, this.#backoff), failure.retryAfterMs), { signal });
      }
    } catch {
      return false; // Stopped. Nothing else rejects here.
    }
  }

  /** Returns undefined if the task returned. */
  async #run(
    task: (attempt: number) => Promise<void>,
    attempt: number,
  ): Promise<{ readonly retryAfterMs: number } | undefined> {
    const { signal } = this.#stopped;
    using _slot = await this.#slots.acquire({ signal });
    signal.throwIfAborted(); // The slot may become free in the same turn as the stop.
    try {
      await task(attempt);
      return undefined;
    } catch (error) {
      return { retryAfterMs: isServiceError(error) ? (error.retryAfterMs ?? 0) : 0 };
    }
  }
}
