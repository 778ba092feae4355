import { type Abortable, onAbort } from "@plumbline/concurrency";
import { type Check, DependencyCheck } from "./dependency-check.ts";

/** In the words of grpc.health.v1. */
export type Status = "SERVING" | "NOT_SERVING";

export interface HealthOptions {
  /** How long one check may take; 2,000 ms when not given. */
  readonly timeoutMs?: number | undefined;
  /** Whether something inside still makes progress. One that says false makes the process not alive: it is restarted. */
  readonly live?: Readonly<Record<string, () => boolean>> | undefined;
  /** Told why a dependency is not reached, at the first failure and whenever the reason changes. */
  readonly onFailure?: ((check: string, error: unknown) => void) | undefined;
}

const recheckMs = 1_000;

/**
 * Whether this process should get work. It is ready once `ready` was called and every dependency was reached once, until
 * `drain`. Losing a dependency later does not take it out: all replicas lose a database at the same moment, and a
 * service with no replica answers worse than one that says 503 per call.
 */
export class Health {
  readonly #checks: readonly DependencyCheck[];
  readonly #live: Readonly<Record<string, () => boolean>>;
  readonly #listeners = new Set<() => void>();
  #opened = false;
  #draining = false;

  constructor(checks: Readonly<Record<string, Check>> = {}, options: HealthOptions = {}) {
    const { timeoutMs = 2_000, onFailure = () => {} } = options;
    this.#live = options.live ?? {};
    this.#checks = Object.entries(checks).map(
      ([name, check]) => new DependencyCheck(name, check, timeoutMs, (error) => onFailure(name, error)),
    );
  }

  /** Everything is open: from now on readiness depends on the checks. */
  ready(): void {
    this.#opened = true;
    this.#changed();
  }

  /** No new work from now on. There is no way back. */
  drain(): void {
    this.#draining = true;
    this.#changed();
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Asks the dependencies that were never reached, all at once; answers within the check's time. Never rejects. */
  async status(options: Abortable = {}): Promise<Status> {
    if (!this.#opened || this.#draining) return "NOT_SERVING";
    const passed = await Promise.all(this.#checks.map((check) => check.reached(options)));
    // Again, since it may have begun to drain while we asked.
    return passed.every(Boolean) && !this.#isDraining() ? "SERVING" : "NOT_SERVING";
  }

  /** The status now and each time it changes, until `signal` aborts; then it ends. For grpc.health.v1's Watch. */
  async *watch(options: Abortable = {}): AsyncIterable<Status> {
    let last: Status | undefined;
    while (!options.signal?.aborted) {
      // Before asking, so that a change between the answer and the wait is not missed.
      using change = new Change(this.#listeners, options);
      const now = await this.status(options);
      if (options.signal?.aborted) return;
      if (now !== last) yield now;
      last = now;
      const waiting = this.#opened && !this.#draining && now === "NOT_SERVING";
      await change.within(waiting ? recheckMs : undefined);
    }
  }

  /** Whether the process should be left running. Not about dependencies: a restart does not repair a database. */
  liveness(): Status {
    return Object.values(this.#live).every(holds) ? "SERVING" : "NOT_SERVING";
  }

  /** What each part says, for a reader: dependencies reached or not, inner parts live or not. */
  report(): Readonly<Record<string, boolean>> {
    return Object.fromEntries([
      ...this.#checks.map((check) => [check.name, check.wasReached]),
      ...Object.entries(this.#live).map(([name, isLive]) => [name, holds(isLive)]),
    ]);
  }

  #isDraining(): boolean {
    return this.#draining;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function holds(isLive: () => boolean): boolean {
  try {
    return isLive();
  } catch {
    return false; // What cannot say that it lives, does not.
  }
}

/** The next time something changes, the signal aborts, or a time is over. */
class Change implements Disposable {
  readonly #listeners: Set<() => void>;
  readonly #happened = Promise.withResolvers<void>();
  readonly #abort: Disposable;

  constructor(listeners: Set<() => void>, options: Abortable) {
    this.#listeners = listeners;
    listeners.add(this.#happened.resolve);
    this.#abort = onAbort(options.signal, this.#happened.resolve);
  }

  async within(ms: number | undefined): Promise<void> {
    const timer = ms === undefined ? undefined : setTimeout(this.#happened.resolve, ms);
    await this.#happened.promise;
    clearTimeout(timer);
  }

  [Symbol.dispose](): void {
    this.#listeners.delete(this.#happened.resolve);
    this.#abort[Symbol.dispose]();
  }
}
