import { Semaphore } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { ServerCall } from "../call.ts";
import type { Interceptor } from "../interceptor.ts";

/**
 * Sheds calls past `maxConcurrent` at once: under overload a quick no is worth more than a slow yes, and another replica
 * may have room. Health checks pass, or an orchestrator would restart a server for being busy.
 */
export function limit(maxConcurrent: number): Interceptor<ServerCall> {
  const permits = new Semaphore(maxConcurrent);
  return async (call, next) => {
    if (call.method.startsWith("grpc.health.")) return next(call);
    using permit = permits.tryAcquire();
    if (permit === undefined)
      throw new ServiceError("unavailable", "the server is at its limit", { retryAfterMs: 100 });
    return await next(call);
  };
}
