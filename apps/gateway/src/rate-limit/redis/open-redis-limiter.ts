import type { Telemetry } from "@plumbline/telemetry";
import { MemoryLimiter } from "../memory-limiter.ts";
import type { RateLimiter, RateLimits, Verdict } from "../rate-limiter.ts";
import { RedisLimiter } from "./redis-limiter.ts";
import { RedisLink } from "./redis-link.ts";

export interface RedisLimiterOptions {
  /** redis://user:password@host:port/database, or rediss: for TLS. */
  readonly url: string;
  /** In front of every key, "plumbline:gateway:rate:" when not given: gateways that share it share their limits. */
  readonly prefix?: string | undefined;
  /** The longest a request waits for Redis, 50 ms when not given. */
  readonly commandMs?: number | undefined;
}

/**
 * A limit that all gateways share through Redis. While Redis is away each counts for itself, from what it saw before: no
 * request waits longer than `commandMs` or fails for it, and N gateways together let up to N times the rate through.
 * Resolves when the first attempt to connect has ended, with success or not.
 */
export async function openRedisLimiter(
  { url, prefix = "plumbline:gateway:rate:", commandMs = 50 }: RedisLimiterOptions,
  { logger, metrics }: Pick<Telemetry, "logger" | "metrics">,
): Promise<RateLimiter & AsyncDisposable> {
  const fallbacks = metrics.counter(
    "rate_limit_fallback_total",
    "Requests that this gateway counted by itself because Redis was away.",
    [],
  );
  const link = new RedisLink({
    url,
    commandMs,
    onLost: (error) => logger.warn("Redis is away: this gateway counts requests by itself", { error: String(error) }),
    onFound: () => logger.info("Redis is back: gateways share their rate limits again"),
  });
  const shared = new RedisLimiter(link, prefix);
  const own = new MemoryLimiter();
  await link.open();
  return {
    async take(client: string, limits: RateLimits): Promise<Verdict> {
      // Also when Redis decides: who has used up the burst must not get another one from us when Redis goes away.
      const alone = own.take(client, limits);
      try {
        return await shared.take(client, limits);
      } catch {
        fallbacks.inc({}); // Why was logged once, by the link.
        return alone;
      }
    },
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  };
}
