import { AdaptiveLimit } from "@plumbline/concurrency";
import { codeOf, type ServiceError } from "@plumbline/errors";
import type { Counter, Gauge, Metrics } from "@plumbline/telemetry";

export interface AdmissionOptions {
  /** What runs at once, whatever its method; asked each time, so it may follow the settings. */
  readonly max: () => number;
  /** Whether `run` holds to a limit that adapts, and to deadlines; asked each time. */
  readonly adaptive: () => boolean;
  /** Makes what a refused caller hears from a reason in words: an error of code unavailable, with a time to come again. */
  readonly refusal: (why: string) => ServiceError;
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** Milliseconds of a clock that does not go back; `performance.now` when not given. */
  readonly now?: (() => number) | undefined;
}

/** As many of one method are let in whatever they take: a service that is hardly busy refuses nobody, and there is minAdmitted something to learn from. */
const minAdmitted = 20;
/** Means below this are the noise of a busy machine, and no overload. */
const quickMs = 50;

/**
 * Decides what may run. What it refuses it refuses at once: a queue in front of a full service only makes everyone late.
 *
 * One limit for each method, since of slow and fast methods together a mean says nothing: it would cut the fast ones whenever the slow ones are
 * called more. A call whose time left is less than the fastest call of its method took of late would be work for nobody, and is refused too. The
 * fastest and not the mean: what no call managed is surely lost, what half of them manage is not.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  readonly #limits = new Map<string, AdaptiveLimit>();
  readonly #limit: Gauge<"method">;
  readonly #running: Gauge<"method">;
  readonly #shed: Counter<"method" | "reason">;
  #total = 0;

  constructor(options: AdmissionOptions) {
    const { metrics, now = () => performance.now() } = options;
    this.#options = options;
    this.#now = now;
    this.#limit = metrics.gauge("admission_limit", "Unary calls let in at once, by method.", ["method"]);
    this.#running = metrics.gauge("admission_running", "Unary calls that were let in and run, by method.", ["method"]);
    this.#shed = metrics.counter("admission_shed_total", "Calls refused at once, by method and reason.", [
      "method",
      "reason",
    ]);
  }

  /**
   * Takes a place among all, for as long as anything of the call is held in memory: until `leave`, called once for each.
   * Throws `refusal` when all are taken.
   */
  enter(method: string): void {
    if (this.#total >= this.#options.max()) throw this.#refuse(method, "max", "too many calls at once");
    this.#total++;
  }

  leave(): void {
    this.#total--;
  }

  /**
   * Runs `work` if it is likely to be answered in time, and learns from how long it takes. Rejects with `refusal` otherwise.
   * Not for streams: they last as long as their clients like. Methods are a closed set: each has its limit and its series.
   */
  run<T>(method: string, remainingMs: number, work: () => Promise<T>): Promise<T> {
    return this.#options.adaptive() ? this.#runAdaptive(method, remainingMs, work) : work();
  }

  async #runAdaptive<T>(method: string, remainingMs: number, work: () => Promise<T>): Promise<T> {
    const limit = this.#limitOf(method);
    const { inFlight, fastestMs = 0 } = limit;
    if (inFlight >= minAdmitted && remainingMs < fastestMs) {
      throw this.#refuse(method, "deadline", "the time left is less than the fastest answer takes");
    }
    using place = limit.tryAcquire();
    if (place === undefined) throw this.#refuse(method, "limit", "calls have become slow");
    const startedAt = this.#now();
    try {
      return await work();
    } catch (error) {
      // One that ran out of time would have taken longer still: worth knowing unless the others take longer anyway.
      const late = codeOf(error) === "deadline_exceeded" && this.#now() - startedAt >= (limit.latencyMs ?? 0);
      if (!late) place.discard();
      throw error;
    }
  }

  #refuse(method: string, reason: "max" | "limit" | "deadline", why: string): ServiceError {
    this.#shed.inc({ method, reason });
    return this.#options.refusal(why);
  }

  #limitOf(method: string): AdaptiveLimit {
    let limit = this.#limits.get(method);
    if (limit === undefined) {
      // `max` may change, and bounds all methods together: it stands above this, not in it.
      const made = new AdaptiveLimit({ min: minAdmitted, max: Number.MAX_SAFE_INTEGER, quickMs, now: this.#now });
      this.#limits.set(method, (limit = made));
      this.#limit.observe(() => Math.min(made.limit, this.#options.max()), { method });
      this.#running.observe(() => made.inFlight, { method });
    }
    return limit;
  }
}
