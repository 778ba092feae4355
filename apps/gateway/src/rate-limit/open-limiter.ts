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

/** Opens the limiter that the settings name. Disposing closes its connection. */
export async function openLimiter(
  { store, redisUrl }: LimiterSettings,
  telemetry: Telemetry,
): Promise<RateLimiter & AsyncDisposable> {
  if (store === "redis" && redisUrl !== undefined) return await openRedisLimiter({ url: redisUrl.reveal() }, telemetry);
  const memory = new MemoryLimiter();
  return { take: (client, limits) => memory.take(client, limits), [Symbol.asyncDispose]: async () => {} };
}
