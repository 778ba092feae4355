import { AdaptiveLimit } from "@plumbline/concurrency";
import { codeOf, type ServiceError } from "@plumbline/errors";
import type { Counter, Gauge, Metrics } from "@plumbline/telemetry";

export interface AdmissionOptions {
  /** The most calls in flight, of all methods. Called each time, so it may follow the settings. */
  readonly max: () => number;
  /** Returns the most of them of one share. A share with the name "" has no bound of its own. */
  readonly maxPerShare: (share: string) => number;
  /** Returns true if `run` applies the adaptive limit and deadlines. Called each time. */
  readonly adaptive: () => boolean;
  /** Creates the error of a refused call: `unavailable`, with a retry delay. */
  readonly refusal: (why: string) => ServiceError;
  /** Creates that of a share at its bound, which no other replica should get: no retries. */
  readonly shareRefusal: (why: string) => ServiceError;
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** A monotonic clock in milliseconds; `performance.now` if not given. */
  readonly now?: (() => number) | undefined;
}

/**
 * Calls of one method that are always admitted. A service that is hardly busy refuses nothing, and
 * keeps samples to learn from.
 */
const minAdmitted = 20;
/** Means below this are noise of a busy machine, not overload. */
const quickMs = 50;

/**
 * The decision about which calls may run. Calls are refused at once: a queue in front of a full
 * service only makes every call late.
 *
 * Each method has its own limit, since a mean over slow and fast methods says nothing: more slow
 * calls would cut the fast ones. A call is also refused if it has less time left than the fastest
 * recent call of its method took. The fastest counts and not the mean: half of the calls beat the
 * mean.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  readonly #limits = new Map<string, AdaptiveLimit>();
  readonly #limit: Gauge<"method">;
  readonly #running: Gauge<"method">;
  readonly #shed: Counter<"method" | "reason">;
  #total = 0;
  /** The calls in flight of each share with a bound. */
  readonly #shares = new Map<string, number>();

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
   * Takes a place among all calls while anything of the call is in memory, until `leave`. Throws
   * `refusal` if none is free, and `shareRefusal` if the share has all that it may have.
   */
  enter(method: string, share: string): void {
    const ofShare = share === "" ? 0 : (this.#shares.get(share) ?? 0);
    if (ofShare >= this.#options.maxPerShare(share)) {
      this.#shed.inc({ method, reason: "client" });
      throw this.#options.shareRefusal("too many calls of one client at once");
    }
    if (this.#total >= this.#options.max()) throw this.#refuse(method, "max", "too many calls at once");
    if (share !== "") this.#shares.set(share, ofShare + 1);
    this.#total++;
  }

  /** Gives the place back. */
  leave(share: string): void {
    this.#total--;
    if (share === "") return;
    const left = (this.#shares.get(share) ?? 0) - 1;
    if (left > 0) this.#shares.set(share, left);
    else this.#shares.delete(share);
  }

  /**
   * Runs `work` if it is likely to end in time, and learns from its duration. Rejects with
   * `refusal` otherwise. Not for streams, which last as long as their clients like. Methods are a
   * closed set: each has a limit and a time series.
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
      // A call that ran out of time would have taken longer still. It counts unless the others take
      // longer anyway.
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
      // `max` may change and bounds all methods together, so it is not part of this limit.
      const made = new AdaptiveLimit({ min: minAdmitted, max: Number.MAX_SAFE_INTEGER, quickMs, now: this.#now });
      this.#limits.set(method, (limit = made));
      this.#limit.observe(() => Math.min(made.limit, this.#options.max()), { method });
      this.#running.observe(() => made.inFlight, { method });
    }
    return limit;
  }
}
