import type { RateLimiter, RateLimits, Verdict } from "../rate-limiter.ts";
import { verdictOf } from "./gcra-script.ts";
import type { RedisLink } from "./redis-link.ts";

/** Counts in Redis: one limit for all gateways. Rejects when Redis is away or late. */
export class RedisLimiter implements RateLimiter {
  readonly #link: RedisLink;
  readonly #prefix: string;

  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
  }

  async take(client: string, limits: RateLimits): Promise<Verdict> {
    const keys = [`${this.#prefix}client:${client}`, `${this.#prefix}global`] as const;
    return verdictOf(await this.#link.run((redis) => redis.take(keys, limits)), limits);
  }
}
