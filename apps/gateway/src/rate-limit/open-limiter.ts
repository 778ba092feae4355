import type { Secret } from "@plumbline/config";
import type { Telemetry } from "@plumbline/telemetry";
import { MemoryLimiter } from "./memory-limiter.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { openRedisLimiter } from "./redis-limiter.ts";

export interface LimiterSettings {
  readonly store: "memory" | "redis";
  /** Present if the store is redis; the schema of the settings requires it. */
  readonly redisUrl?: Secret | undefined;
}

/** The address of Redis, which may change while the gateway runs. */
interface FollowedUrl {
  readonly current: () => Secret | undefined;
}

/**
 * Opens the limiter that the settings name. Its connection to Redis is replaced when `followed`
 * changes. Disposing closes it.
 */
export async function openLimiter(
  { store, redisUrl }: LimiterSettings,
  telemetry: Telemetry,
  followed: FollowedUrl = { current: () => redisUrl },
): Promise<RateLimiter & AsyncDisposable> {
  if (store === "redis" && redisUrl !== undefined) {
    const url = () => (followed.current() ?? redisUrl).reveal();
    return await openRedisLimiter({ url }, telemetry);
  }
  const memory = new MemoryLimiter();
  return { take: (client, limits) => memory.take(client, limits), [Symbol.asyncDispose]: async () => {} };
}
