export interface AdaptiveLimitOptions {
  /** The limit never goes below this, however slow all becomes. 10 when not given, or `max` if that is less. */
  readonly min?: number | undefined;
  /** The hard upper bound, and where the limit begins: who is not overloaded never notices it. */
  readonly max: number;
  /** Milliseconds: while calls take no longer than this on average the limit does not fall. 0 when not given. */
  readonly quickMs?: number | undefined;
  /** Milliseconds of a clock that does not go back; `performance.now` when not given. */
  readonly now?: (() => number) | undefined;
}

/** A place under the limit, until disposed: its life is the latency that is learned from. */
export interface Place extends Disposable {
  /** Gives the place back and learns nothing: for what failed, since a quick failure is no sign of room. */
  discard(): void;
}

/** A window closes with this many latencies and after this time: a mean of fewer says little. */
const windowSamples = 10;
const windowMs = 100;
/** Latency may come to this many times what it is without a queue before the limit falls. */
const tolerance = 2;
/** How far one window moves the limit to where it points. */
const smoothing = 0.2;
/** How far a faster window moves the baseline: what was once possible is the better guess. */
const quickly = 0.5;
/** How far a slower one does: a service that has become slower is believed after a minute or so. */
const slowly = 1 / 600;
/** As many slow windows in a row, while nobody is refused, are a burst or a pause of the machine: it is let drain. */
const patience = 5;
/** After as many windows that refused, the limit is at its least for two: one to drain the queue, one to learn from. */
const probeAfter = 600;
const probeWindows = 2;
/** With fewer inside than `min` for this long there is no overload to remember: the limit is at `max` again. */
const calmMs = 2_000;

/**
 * A limit on what runs at once that finds itself, after the gradient of Netflix's concurrency-limits: while calls take as
 * long as they do without a queue it grows, by the root of itself; as they take longer it falls, to half at most.
 *
 *     using place = limit.tryAcquire();
 *     if (place === undefined) throw new ServiceError("unavailable", "overloaded", { retryAfterMs: 100 });
 *
 * Where it differs: the baseline follows slower calls only while none are refused, or an overload that lasts would in time
 * become what is normal (once a minute it looks, with as few inside as may be); a limit far above what runs falls from twice what runs, not from where nobody was;
 * and a quiet moment ends it, so that a burst after a burst finds the room that the first one found.
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
  /** When `min` or more were last inside. */
  #busyAt: number;
  #window: Window;
  /** Windows in a row that were slow. */
  #slow = 0;
  /** Windows in a row that refused, and windows of a probe still to come, with the limit to go back to. */
  #refusing = 0;
  #probing = 0;
  #resumed = 0;

  constructor({ max, min = Math.min(10, max), quickMs = 0, now = () => performance.now() }: AdaptiveLimitOptions) {
    if (!Number.isSafeInteger(max) || max < 1) throw new RangeError("max is a whole number, at least 1");
    if (!Number.isSafeInteger(min) || min < 1 || min > max) {
      throw new RangeError("min is a whole number from 1 to max");
    }
    this.#min = min;
    this.#max = max;
    this.#limit = max;
    this.#quickMs = quickMs;
    this.#now = now;
    this.#busyAt = now();
    this.#window = newWindow(this.#busyAt);
  }

  /** A whole number from `min` to `max`. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** How long a call takes now, in milliseconds: the mean of the last window. Undefined until there was one. */
  get latencyMs(): number | undefined {
    return this.#latency;
  }

  /** The least a call takes now, in milliseconds: the fastest of the last window. Undefined until there was one. */
  get fastestMs(): number | undefined {
    return this.#fastest;
  }

  /** A place, or undefined when there is none. Nobody waits: a queue in front of a full service makes everyone late. */
  tryAcquire(): Place | undefined {
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
    if (latency < baseline) this.#baseline += (latency - baseline) * quickly;
    // While calls are refused, those let in are slow for the queue that this limit allows.
    else if (!refused) this.#baseline += (latency - baseline) * slowly;
    const gradient =
      latency === 0 ? 1 : Math.max(0.5, Math.min(1, Math.max(this.#quickMs, tolerance * this.#baseline) / latency));
    this.#slow = gradient < 1 ? this.#slow + 1 : 0;
    if (gradient < 1 && !refused && this.#slow <= patience) return;
    // With room to spare, quick calls are no reason for more.
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

  /** What calls take with the least of them inside is what they take without a queue, whatever it was before. */
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
  /** The most that ran at once. */
  peak: number;
}

function newWindow(openedAt: number): Window {
  return { openedAt, samples: 0, sum: 0, fastest: Number.POSITIVE_INFINITY, refused: false, peak: 0 };
}
