/** How fast, on average, and how much at once. */
export interface Rate {
  /** Requests a second, averaged. 0 means no limit. */
  readonly perSecond: number;
  /** Requests at once after a pause. */
  readonly burst: number;
}

/** The answer to one request, and what `RateLimit` fields say of it. */
export interface Decision {
  readonly allowed: boolean;
  /** How many more would be allowed right now. */
  readonly remaining: number;
  /** Until the next one would be allowed; 0 when it would be now. */
  readonly retryAfterMs: number;
  /** Until the whole burst is there again. */
  readonly resetMs: number;
}

/**
 * The generic cell rate algorithm (ITU-T I.371): a token bucket that keeps one number per key, the time at which the
 * bucket will be full again. A refused request takes nothing.
 *
 * It holds at most `maxKeys` keys. Full buckets are dropped first; when none is, the one longest unseen is, and starts
 * afresh: a bound per client cannot hold against more clients than there are keys, which is what the global rate is for.
 */
export class Gcra {
  /** By key, the one longest unseen first. */
  readonly #fullAt = new Map<string, number>();
  readonly #maxKeys: number;
  readonly #now: () => number;

  constructor(maxKeys: number, now: () => number = () => performance.now()) {
    this.#maxKeys = maxKeys;
    this.#now = now;
  }

  get keys(): number {
    return this.#fullAt.size;
  }

  /** `rate` is asked with each request: another one holds from then on, also for buckets that are not full. */
  take(key: string, rate: Rate): Decision {
    if (rate.perSecond === 0) return decide(true, 0, rate);
    const now = this.#now();
    const intervalMs = 1000 / rate.perSecond;
    const capacityMs = rate.burst * intervalMs;
    // Never emptier than empty: after the rate was raised, an old debt counts no longer than the new bucket takes.
    const fullAt = Math.min(Math.max(this.#fullAt.get(key) ?? now, now), now + capacityMs);
    const allowed = fullAt + intervalMs <= now + capacityMs + 1e-6;
    const next = allowed ? fullAt + intervalMs : fullAt;
    this.#store(key, next, now);
    return decide(allowed, next - now, rate);
  }

  #store(key: string, fullAt: number, now: number): void {
    this.#fullAt.delete(key);
    if (this.#fullAt.size >= this.#maxKeys) this.#evict(now);
    this.#fullAt.set(key, fullAt);
  }

  /** A few at a time, so that no request pays for all. The oldest goes in any case. */
  #evict(now: number): void {
    let looked = 0;
    for (const [key, fullAt] of this.#fullAt) {
      if (looked > 0 && (looked >= 16 || fullAt > now)) break;
      this.#fullAt.delete(key);
      looked += 1;
    }
  }
}

/** What a bucket that is full again in `fullInMs` says of itself. */
export function decide(allowed: boolean, fullInMs: number, { perSecond, burst }: Rate): Decision {
  if (perSecond === 0) return { allowed, remaining: burst, retryAfterMs: 0, resetMs: 0 };
  const intervalMs = 1000 / perSecond;
  const leftMs = burst * intervalMs - fullInMs;
  return {
    allowed,
    remaining: Math.max(0, Math.floor(leftMs / intervalMs + 1e-6)),
    retryAfterMs: toMicroseconds(Math.max(0, intervalMs - leftMs)),
    resetMs: toMicroseconds(fullInMs),
  };
}

/** What adding and taking away a large clock leaves behind must not make 2 s into 3 when it is rounded up to whole seconds. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
