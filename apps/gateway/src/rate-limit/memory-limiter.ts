import type { Decision, Rate, RateLimiter, RateLimits, Verdict } from "./rate-limiter.ts";

/** Clients remembered at once, about 100 bytes each. */
const maxClients = 50_000;

/** A limiter that counts in this process. Several gateways have separate limits. */
export class MemoryLimiter implements RateLimiter {
  readonly #clients: Gcra;
  readonly #everyone: Gcra;

  constructor(now?: () => number) {
    this.#clients = new Gcra(maxClients, now);
    this.#everyone = new Gcra(1, now);
  }

  take(client: string, { perClient, global }: RateLimits): Verdict {
    const own = this.#clients.take(client, perClient);
    return own.allowed ? { client: own, global: this.#everyone.take("", global) } : { client: own };
  }
}

/**
 * The generic cell rate algorithm (ITU-T I.371): a token bucket that keeps one number per key, the
 * time at which the bucket is full again. A refused request takes nothing.
 *
 * It holds at most `maxKeys` keys. Full buckets are evicted first, then the least recently used
 * one, which starts over with a full bucket. A limit per client cannot hold against more clients
 * than there are keys; the global rate covers that case.
 */
export class Gcra {
  /** By key, least recently used first. */
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

  /**
   * Takes a token of `key`. A changed `rate` applies at once, also to buckets that are not full.
   */
  take(key: string, rate: Rate): Decision {
    if (rate.perSecond === 0) return decide(true, 0, rate);
    const now = this.#now();
    const intervalMs = 1000 / rate.perSecond;
    const capacityMs = rate.burst * intervalMs;
    // Never emptier than empty: once the rate is raised, an old debt counts at most as a whole new
    // bucket.
    const fullAt = Math.min(Math.max(this.#fullAt.get(key) ?? now, now), now + capacityMs);
    const allowed = fullAt + intervalMs <= now + capacityMs + 1e-6;
    const next = allowed ? fullAt + intervalMs : fullAt;
    this.#store(key, next, now);
    return decide(allowed, next - now, rate);
  }

  #store(key: string, fullAt: number, now: number): void {
    // The order counts for evictions alone, and to move a key costs more than all else here. So
    // keys keep their places until half of the bound: a key that is not used after that is older
    // than all that are.
    if (this.#fullAt.size >= this.#maxKeys / 2) this.#fullAt.delete(key);
    if (this.#fullAt.size >= this.#maxKeys) this.#evict(now);
    this.#fullAt.set(key, fullAt);
  }

  /**
   * Evicts a few keys at a time, so that no single request pays for all. The oldest always goes.
   */
  #evict(now: number): void {
    let looked = 0;
    for (const [key, fullAt] of this.#fullAt) {
      if (looked > 0 && (looked >= 16 || fullAt > now)) break;
      this.#fullAt.delete(key);
      looked += 1;
    }
  }
}

/** Computes the decision for a bucket that is full again in `fullInMs`. */
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

/**
 * Rounds away floating-point noise, which would turn 2 s into 3 once it is rounded up to whole
 * seconds.
 */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
