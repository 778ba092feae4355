import { Gcra } from "./gcra.ts";
import type { RateLimiter, RateLimits, Verdict } from "./rate-limiter.ts";

/** Clients remembered at once: about 100 bytes each. */
const maxClients = 50_000;

/** Counts in this process: with several gateways each has its own limits. */
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
