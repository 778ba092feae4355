export interface AdaptiveLimitOptions {
  /**
   * The least the limit can be, however slow calls become. Default 10, or `max` if that is less.
   */
  readonly min?: number | undefined;
  /** The upper bound, and the limit at the start. A server that is not overloaded stays there. */
  readonly max: number;
  /** The mean latency in milliseconds up to which the limit does not fall. Default 0. */
  readonly quickMs?: number | undefined;
  /** Returns milliseconds of a monotonic clock. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
}

/** A permit of the limit until it is disposed. The time in between is a sample of the latency. */
export interface Permit extends Disposable {
  /**
   * Releases the permit without a sample: for failures, since a quick failure is no sign of
   * capacity.
   */
  discard(): void;
}

/** The least samples and the least time of a window. */
const windowSamples = 10;
const windowMs = 100;
/** The latency, as a multiple of the latency without a queue, above which the limit falls. */
const tolerance = 2;
/** The share of the way to its target that one window moves the limit. */
const smoothing = 0.2;
/**
 * The share by which a faster window moves the baseline. Large, since that latency is known to be
 * possible.
 */
const fallRate = 0.5;
/**
 * The share by which a slower window moves it: a service that has become slower counts after about
 * a minute.
 */
const riseRate = 1 / 600;
/**
 * Slow windows in a row, without a refused call, that count as a burst or a pause of the machine.
 */
const slowWindowsTolerated = 5;
/**
 * After this many windows with refused calls the limit is at `min` for two: one drains the queue,
 * one is measured.
 */
const probeAfter = 600;
const probeWindows = 2;
/**
 * With fewer than `min` calls in flight for this long the overload is over, and the limit is `max`
 * again.
 */
const calmMs = 2_000;

/**
 * A limit on concurrent calls that adapts to their latency, after the gradient limit of Netflix's
 * concurrency-limits. While calls take as long as without a queue it grows, by its square root.
 * When they take longer it falls, to no less than half at a time.
 *
 *     using permit = limit.tryAcquire();
 *     if (permit === undefined) throw new ServiceError("unavailable", "overloaded");
 *
 * It differs in three points. The baseline follows slower calls only while none is refused, since a
 * lasting overload would become the norm; instead it is measured once a minute with `min` calls in
 * flight. A limit far above the calls in flight falls from twice their number. A quiet moment
 * resets the limit, so that a second burst is treated as the first.
 */
export class AdaptiveLimit {
  readonly #min: number;
  readonly #max: number;
  readonly #quickMs: number;
  readonly #now: () => number;
  #limit: number;
  #inFlight = 0;
  #baseline: number | undefined;
  #latency: number | undefined;
  #fastest: number | undefined;
  /** The last time that `min` or more calls were in flight. */
  #busyAt: number;
  #window: Window;
  /** The number of slow windows in a row. */
  #slow = 0;
  /**
   * The number of refusing windows in a row, the windows left of a probe, and the limit after it.
   */
  #refusing = 0;
  #probing = 0;
  #resumed = 0;

  constructor({ max, min = Math.min(10, max), quickMs = 0, now = () => performance.now() }: AdaptiveLimitOptions) {
    if (!Number.isSafeInteger(max) || max < 1) throw new RangeError("max must be a whole number, at least 1");
    if (!Number.isSafeInteger(min) || min < 1 || min > max) {
      throw new RangeError("min must be a whole number from 1 to max");
    }
    this.#min = min;
    this.#max = max;
    this.#limit = max;
    this.#quickMs = quickMs;
    this.#now = now;
    this.#busyAt = now();
    this.#window = newWindow(this.#busyAt);
  }

  /** The current limit, a whole number from `min` to `max`. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The mean latency of the last window in milliseconds. Undefined before the first. */
  get latencyMs(): number | undefined {
    return this.#latency;
  }

  /** The least latency of the last window in milliseconds. Undefined before the first. */
  get fastestMs(): number | undefined {
    return this.#fastest;
  }

  /**
   * Returns a permit, or undefined if there is none. It never waits: a queue in front of a full
   * service makes all late.
   */
  tryAcquire(): Permit | undefined {
    const startedAt = this.#now();
    if (this.#inFlight >= this.#min) this.#busyAt = startedAt;
    else if (startedAt - this.#busyAt > calmMs && this.#probing === 0) this.#limit = this.#max;
    if (this.#inFlight >= this.limit) {
      this.#window.refused = true;
      return undefined;
    }
    this.#inFlight++;
    this.#window.peak = Math.max(this.#window.peak, this.#inFlight);
    let held = true;
    const release = (learn: boolean): void => {
      if (!held) return;
      held = false;
      const now = this.#now();
      if (this.#inFlight >= this.#min) this.#busyAt = now;
      this.#inFlight--;
      if (learn) this.#learn(startedAt, now);
    };
    return { discard: () => release(false), [Symbol.dispose]: () => release(true) };
  }

  #learn(startedAt: number, now: number): void {
    const window = this.#window;
    const latency = Math.max(0, now - startedAt);
    window.samples++;
    window.sum += latency;
    window.fastest = Math.min(window.fastest, latency);
    if (window.samples < windowSamples || now - window.openedAt < windowMs) return;
    this.#window = newWindow(now);
    this.#window.peak = this.#inFlight;
    this.#fastest = window.fastest;
    this.#adapt(window.sum / window.samples, window);
  }

  #adapt(latency: number, { peak, refused }: Window): void {
    this.#latency = latency;
    if (this.#probing > 0) return this.#probe(latency);
    this.#refusing = refused ? this.#refusing + 1 : 0;
    if (this.#refusing >= probeAfter) return this.#startProbe();
    const baseline = (this.#baseline ??= latency);
    if (latency < baseline) this.#baseline += (latency - baseline) * fallRate;
    // While calls are refused, admitted ones are slow because of the queue that this limit allows.
    else if (!refused) this.#baseline += (latency - baseline) * riseRate;
    const gradient =
      latency === 0 ? 1 : Math.max(0.5, Math.min(1, Math.max(this.#quickMs, tolerance * this.#baseline) / latency));
    this.#slow = gradient < 1 ? this.#slow + 1 : 0;
    if (gradient < 1 && !refused && this.#slow <= slowWindowsTolerated) return;
    // Quick calls are no reason to grow while much of the limit is unused.
    if (gradient === 1 && peak < this.#limit / 2) return;
    const from = gradient < 1 ? Math.min(this.#limit, Math.max(2 * peak, this.#min)) : this.#limit;
    const aim = from * gradient + Math.sqrt(from);
    const next = from + (aim - from) * smoothing;
    this.#limit = Math.max(this.#min, Math.min(this.#max, next));
  }

  #startProbe(): void {
    this.#resumed = this.#limit;
    this.#limit = this.#min;
    this.#probing = probeWindows;
    this.#refusing = 0;
  }

  /** Takes the latency with `min` calls in flight as the latency without a queue. */
  #probe(latency: number): void {
    this.#probing--;
    if (this.#probing > 0) return;
    this.#baseline = latency;
    this.#limit = this.#resumed;
  }
}

interface Window {
  readonly openedAt: number;
  samples: number;
  sum: number;
  fastest: number;
  refused: boolean;
  /** The most calls in flight at once. */
  peak: number;
}

function newWindow(openedAt: number): Window {
  return { openedAt, samples: 0, sum: 0, fastest: Number.POSITIVE_INFINITY, refused: false, peak: 0 };
}
