import { type Abortable, Event } from "@plumbline/concurrency";
import { type Check, DependencyCheck } from "./dependency-check.ts";

/** A status of grpc.health.v1. */
export type Status = "SERVING" | "NOT_SERVING";

export interface HealthOptions {
  /** The longest that one check may take. Default 2,000 ms. */
  readonly timeoutMs?: number | undefined;
  /**
   * Inner parts that must make progress. If one returns false the process counts as not alive and
   * is restarted.
   */
  readonly live?: Readonly<Record<string, () => boolean>> | undefined;
  /**
   * Inner parts that a reader of the report wants to know about. They change neither readiness nor
   * liveness: calls are answered while events stand still, and a restart does not help.
   */
  readonly working?: Readonly<Record<string, () => boolean>> | undefined;
  /**
   * Returns true for an error of a check that says: it answers, and this replica cannot use it, as
   * a database that takes no writes since another one is the primary. The process is then unready
   * until the check passes again.
   */
  readonly unfit?: ((error: unknown) => boolean) | undefined;
  /**
   * Called with the reason a dependency is not reached: at the first failure and whenever the
   * reason changes.
   */
  readonly onFailure?: ((check: string, error: unknown) => void) | undefined;
}

const recheckMs = 1_000;

/**
 * The readiness and liveness of this process. It is ready once `ready` was called and every
 * dependency was reached once, until `drain`. Losing a dependency later does not make it unready:
 * all replicas lose a database at the same moment, and a service without any replica answers worse
 * than one that answers 503 to each call. A dependency that answers and is `unfit` does.
 */
export class Health {
  readonly #checks: readonly DependencyCheck[];
  readonly #live: Readonly<Record<string, () => boolean>>;
  readonly #working: Map<string, () => boolean>;
  readonly #watchers = new Set<Event>();
  #opened = false;
  #draining = false;

  constructor(checks: Readonly<Record<string, Check>> = {}, options: HealthOptions = {}) {
    const { timeoutMs = 2_000, onFailure = () => {}, unfit: isUnfit = () => false } = options;
    this.#live = options.live ?? {};
    this.#working = new Map(Object.entries(options.working ?? {}));
    this.#checks = Object.entries(checks).map(
      ([name, check]) =>
        new DependencyCheck(name, check, timeoutMs, {
          failed: (error) => onFailure(name, error),
          isUnfit,
          changed: () => this.#changed(),
        }),
    );
  }

  /** Says that everything is open. From now on readiness depends on the checks. */
  ready(): void {
    this.#opened = true;
    this.#changed();
  }

  /** Adds a part to those of `working`, until disposed. */
  addWorking(name: string, works: () => boolean): Disposable {
    this.#working.set(name, works);
    return { [Symbol.dispose]: () => void this.#working.delete(name) };
  }

  /** Asks for no new work. There is no way back. */
  drain(): void {
    this.#draining = true;
    this.#changed();
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Checks the dependencies that were never reached, all at once, within the time of one check.
   * Never rejects.
   */
  async status(options: Abortable = {}): Promise<Status> {
    if (!this.#opened || this.#draining) return "NOT_SERVING";
    const passed = await Promise.all(this.#checks.map((check) => check.reached(options)));
    // Once more, since draining may have begun during the checks.
    return passed.every(Boolean) && !this.#isDraining() ? "SERVING" : "NOT_SERVING";
  }

  /**
   * Yields the status now and each time it changes, until `signal` aborts. For grpc.health.v1's
   * Watch.
   */
  async *watch({ signal }: Abortable = {}): AsyncIterable<Status> {
    const changed = new Event();
    this.#watchers.add(changed);
    try {
      let last: Status | undefined;
      for (;;) {
        const now = await this.status({ signal });
        if (signal?.aborted) return;
        if (now !== last) yield now;
        last = now;
        const isUnreached = this.#opened && !this.#draining && now === "NOT_SERVING";
        await changed.wait({ ms: isUnreached ? recheckMs : undefined, signal });
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
    } finally {
      this.#watchers.delete(changed);
    }
  }

  /**
   * Returns SERVING while the process should be left running. Ignores dependencies: a restart
   * repairs no database.
   */
  liveness(): Status {
    return Object.values(this.#live).every(holds) ? "SERVING" : "NOT_SERVING";
  }

  /**
   * Checks every dependency again that was reached, so that the report shows those that do not
   * answer any more. Takes at most half a second. Readiness does not depend on it. Checks nothing
   * while draining: dependencies are being closed then.
   */
  async refresh(options: Abortable = {}): Promise<void> {
    if (this.#opened && !this.#draining) await Promise.all(this.#checks.map((check) => check.recheck(options)));
  }

  /**
   * Returns the state of each part for a human reader: dependencies that answered the last check or
   * not, inner parts live or not, working or not.
   */
  report(): Readonly<Record<string, boolean>> {
    return Object.fromEntries([
      ...this.#checks.map((check) => [check.name, check.answers]),
      ...[...Object.entries(this.#live), ...this.#working].map(([name, works]) => [name, holds(works)]),
    ]);
  }

  #isDraining(): boolean {
    return this.#draining;
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher.set();
  }
}

function holds(isLive: () => boolean): boolean {
  try {
    return isLive();
  } catch {
    return false;
  }
}
