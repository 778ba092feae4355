import { type Abortable, deadline, onAbort, within } from "@plumbline/concurrency";

/** A call that resolves when the dependency answers. Its signal aborts at its deadline. */
export type Check = (options: Abortable) => Promise<unknown>;

/** The callbacks of a check. */
export interface CheckEvents {
  /** Called with the reason of a failure, when it appears and when it changes. */
  readonly failed: (error: unknown) => void;
  /** Returns true if the error says that the dependency answers and cannot be used. */
  readonly isUnfit: (error: unknown) => boolean;
  /** Called when a dependency that was reached turns out to be unfit. */
  readonly changed: () => void;
}

/** The least time between two checks of a dependency that was reached. */
const recheckMs = 1_000;
/** The longest that a report waits for a check. A slower one shows in the next report. */
const reportMs = 500;

/**
 * The check of one dependency. Readiness needs it until it has passed once, and again once it says
 * that the dependency is unfit. Reports repeat it, to show a dependency that was lost later.
 */
export class DependencyCheck {
  readonly name: string;
  readonly #check: Check;
  readonly #timeoutMs: number;
  readonly #events: CheckEvents;
  #reached = false;
  #answers = false;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #lastFailure: string | undefined;

  constructor(name: string, check: Check, timeoutMs: number, events: CheckEvents) {
    this.name = name;
    this.#check = check;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
  }

  get wasReached(): boolean {
    return this.#reached;
  }

  /** True if the last check passed. */
  get answers(): boolean {
    return this.#answers;
  }

  /** Checks a dependency again that was reached, at most once a second. */
  async recheck({ signal }: Abortable): Promise<void> {
    if (!this.#reached) return;
    if (performance.now() - this.#checkedAt >= recheckMs) this.#running ??= this.#run();
    if (this.#running !== undefined) await within(this.#running, { ms: reportMs, signal }).catch(() => undefined);
  }

  /**
   * Waits for the running check, or starts one. Returns false when it fails, times out or `signal`
   * aborts.
   */
  async reached({ signal }: Abortable): Promise<boolean> {
    if (this.#reached) {
      // The next caller learns what it finds.
      if (performance.now() - this.#checkedAt >= recheckMs) this.#running ??= this.#run();
      return true;
    }
    // One at a time: a probe each second must not pile up calls to a dependency that hangs.
    this.#running ??= this.#run();
    await within(this.#running, { ms: this.#timeoutMs, signal }).catch(() => undefined);
    return this.wasReached;
  }

  async #run(): Promise<void> {
    this.#checkedAt = performance.now();
    using limit = deadline(this.#timeoutMs);
    using _ = onAbort(limit.signal, () => this.#failed(limit.signal.reason));
    try {
      await this.#check({ signal: limit.signal });
      if (limit.signal.aborted) return;
      this.#reached = true;
      this.#answers = true;
      this.#lastFailure = undefined;
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#running = undefined;
    }
  }

  #failed(error: unknown): void {
    this.#answers = false;
    if (this.#reached && this.#events.isUnfit(error)) {
      this.#reached = false;
      this.#events.changed();
    }
    // Each reason once: probes come every second, and a log full of one line hides the others.
    const reason = String(error);
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    this.#events.failed(error);
  }
}
