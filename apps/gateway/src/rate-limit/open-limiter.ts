import { type Secret, urlWithPassword } from "@plumbline/config";
import type { Telemetry } from "@plumbline/telemetry";
import { MemoryLimiter } from "./memory-limiter.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { openRedisLimiter } from "./redis-limiter.ts";

export interface LimiterSettings {
  readonly store: "memory" | "redis";
  /** Present if the store is redis; the schema of the settings requires it. */
  readonly redisUrl?: Secret | undefined;
  readonly redisPassword?: Secret | undefined;
}

/**
 * Opens the limiter that the settings name. Its connection to Redis is replaced when the address or
 * the password of `current` changes. Disposing closes it.
 */
export async function openLimiter(
  settings: LimiterSettings,
  telemetry: Telemetry,
  current: () => LimiterSettings = () => settings,
): Promise<RateLimiter & AsyncDisposable> {
  const { store, redisUrl } = settings;
  if (store === "redis" && redisUrl !== undefined) {
    const url = () => {
      const live = current();
      return urlWithPassword(live.redisUrl ?? redisUrl, live.redisPassword).reveal();
    };
    return await openRedisLimiter({ url }, telemetry);
  }
  const memory = new MemoryLimiter();
  return { take: (client, limits) => memory.take(client, limits), [Symbol.asyncDispose]: async () => {} };
}
