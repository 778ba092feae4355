import { type Backoff, fullJitter, type Semaphore, sleep } from "@plumbline/concurrency";
import { isServiceError } from "@plumbline/errors";

/**
 * A lane per key: tasks of one key run one after another, tasks of different keys at once, as far as `slots` allow.
 * A task that throws runs again after a backoff; its lane waits for it, and no slot does: a key that keeps failing
 * costs the others nothing until its followers fill the member's backlog. An error that says when to come back
 * (`retryAfterMs`) waits at least that long.
 *
 * Keys are not hashed onto a fixed number of lanes: two keys that share one would wait for each other's failures.
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
   * Runs `task` behind its key's earlier ones, until an attempt returns. Resolves false where the lanes stopped before
   * that. Never rejects: what a task throws is for the task to report.
   */
  async add(key: string, task: (attempt: number) => Promise<void>): Promise<boolean> {
    const outcome = this.#after(this.#lanes.get(key), task);
    this.#lanes.set(key, outcome);
    const done = await outcome;
    // A lane without tasks is forgotten, so that there are never more lanes than messages held.
    if (this.#lanes.get(key) === outcome) this.#lanes.delete(key);
    return done;
  }

  /** Starts nothing more: tasks that wait resolve false, running ones come to their end. */
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
      return false; // Stopped: nothing else rejects here.
    }
  }

  /** Undefined where the task returned. */
  async #run(
    task: (attempt: number) => Promise<void>,
    attempt: number,
  ): Promise<{ readonly retryAfterMs: number } | undefined> {
    const { signal } = this.#stopped;
    using _slot = await this.#slots.acquire({ signal });
    signal.throwIfAborted(); // The slot may have come in the same turn as the stop.
    try {
      await task(attempt);
      return undefined;
    } catch (error) {
      return { retryAfterMs: isServiceError(error) ? (error.retryAfterMs ?? 0) : 0 };
    }
  }
}
