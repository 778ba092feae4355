import { type Backoff, fullJitter, type Semaphore, sleep } from "@plumbline/concurrency";

/**
 * A lane per key: tasks of one key run one after another, tasks of different keys at once, as far as `slots` allow.
 * A task that throws runs again after a backoff; its lane waits for it, and no slot does: a key that keeps failing
 * costs the others nothing until its followers fill the member's backlog.
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
        if (await this.#run(task, attempt)) return true;
        await sleep(fullJitter(attempt, this.#backoff), { signal });
      }
    } catch {
      return false; // Stopped: nothing else rejects here.
    }
  }

  async #run(task: (attempt: number) => Promise<void>, attempt: number): Promise<boolean> {
    using _slot = await this.#slots.acquire(this.#stopped);
    // The slot may have come in the same turn as the stop.
    this.#stopped.signal.throwIfAborted();
    // Awaited here: a bare return would give the slot back while the task runs.
    return await task(attempt).then(
      () => true,
      () => false,
    );
  }
}
