import { steadyNow } from "@plumbline/concurrency";
import type { ServerCall } from "../call.ts";
import type { Admission } from "./admission.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * Sheds calls at once that are too many or would be too late: under overload a quick refusal is
 * better than a late answer, and another replica may have capacity. Health checks pass, or an
 * orchestrator would restart a busy server. Streams last as long as their clients like, so they
 * have an admission of their own: they never take the places of unary calls. In both, one client
 * leaves places to others.
 */
export function limit(calls: Admission, streams: Admission): Interceptor<ServerCall> {
  return async (call, next) => {
    const { method, kind, share, deadline } = call;
    if (method.startsWith("grpc.health.")) return next(call);
    const admission = kind === "unary" ? calls : streams;
    admission.enter(method, share);
    try {
      if (kind !== "unary") return await next(call);
      await calls.run(method, deadline - steadyNow(), () => next(call));
      // An answer that is not read stays in memory, so the call keeps its place.
      const sent = call.sent?.();
      if (sent !== undefined) await sent;
    } finally {
      admission.leave(share);
    }
  };
}
