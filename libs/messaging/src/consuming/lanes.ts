import { type Backoff, type FairSemaphore, fullJitter, sleep } from "@plumbline/concurrency";
import { isServiceError } from "@plumbline/errors";
import { NotDueError } from "../errors.ts";
import type { MessageShare } from "../share.ts";

const shareless: MessageShare = { share: "", cost: 1 };

/** The tasks of one key that are not done. */
interface Lane {
  /** The outcome of the newest task. */
  last: Promise<boolean> | undefined;
  tasks: number;
  /** True while the oldest task has failed and not run again with success. */
  failing: boolean;
}

/**
 * One lane per key. Tasks of one key run one after another. Tasks of different keys run at once, as
 * far as `slots` allow, whose shares are those of the messages: a share that waits gets its turn
 * however many tasks another one has.
 *
 * A task that throws runs again after a backoff. Its lane waits, but no slot does. A key that keeps
 * failing costs the other keys nothing until its later messages fill the member's backlog. After an
 * error with `retryAfterMs` the lane waits at least that long.
 *
 * Keys are not hashed onto a fixed number of lanes: two keys in one lane would wait for each
 * other's failures.
 */
export class Lanes {
  readonly #slots: FairSemaphore;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  readonly #lanes = new Map<string, Lane>();

  constructor(slots: FairSemaphore, backoff: Backoff) {
    this.#slots = slots;
    this.#backoff = backoff;
  }

  /**
   * Runs `task` after the earlier ones of its key, again and again until an attempt returns.
   * Resolves with false if the lanes stopped before that. Never rejects: a task reports its own
   * errors.
   */
  async add(key: string, task: (attempt: number) => Promise<void>, share = shareless): Promise<boolean> {
    const lane = this.#lanes.get(key) ?? { last: undefined, tasks: 0, failing: false };
    this.#lanes.set(key, lane);
    lane.tasks++;
    const outcome = this.#after(lane, task, share);
    lane.last = outcome;
    const done = await outcome;
    lane.tasks--;
    // A lane without tasks is removed, so that there are never more lanes than messages held.
    if (lane.tasks === 0) this.#lanes.delete(key);
    return done;
  }

  /**
   * The tasks that failed and will run again, and those that wait behind them. A task that is only
   * not due yet is not among them.
   */
  get heldByFailures(): number {
    return this.#lanes.values().reduce((sum, { failing, tasks }) => sum + (failing ? tasks : 0), 0);
  }

  /**
   * Starts no further task. Waiting tasks resolve with false, and running ones continue to their
   * end.
   */
  stop(): void {
    this.#stopped.abort();
  }

  async #after(lane: Lane, task: (attempt: number) => Promise<void>, share: MessageShare): Promise<boolean> {
    await lane.last;
    const { signal } = this.#stopped;
    try {
      for (let attempt = 1; ; attempt++) {
        const failure = await this.#run(task, attempt, share);
        lane.failing = failure !== undefined && !failure.expected;
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
    { share, cost }: MessageShare,
  ): Promise<{ readonly retryAfterMs: number; readonly expected: boolean } | undefined> {
    const { signal } = this.#stopped;
    using _slot = await this.#slots.acquire({ share, cost, signal });
    signal.throwIfAborted(); // The slot may become free in the same turn as the stop.
    try {
      await task(attempt);
      return undefined;
    } catch (error) {
      const retryAfterMs = isServiceError(error) ? (error.retryAfterMs ?? 0) : 0;
      return { retryAfterMs, expected: error instanceof NotDueError };
    }
  }
}
