import type { ServerCall } from "../call.ts";
import type { Admission } from "./admission.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * Sheds calls that are too many, or too late, at once: under overload a quick no is worth more than a slow yes, and another
 * replica may have room. Health checks pass, or an orchestrator would restart a server for being busy.
 */
export function limit(admission: Admission): Interceptor<ServerCall> {
  return async (call, next) => {
    const { method, kind, deadline } = call;
    if (method.startsWith("grpc.health.")) return next(call);
    admission.enter(method);
    try {
      if (kind !== "unary") return await next(call);
      return await admission.run(method, deadline - Date.now(), () => next(call));
    } finally {
      admission.leave();
    }
  };
}
