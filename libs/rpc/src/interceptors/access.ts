import { requireScopes } from "@plumbline/auth";
import { ServiceError } from "@plumbline/errors";
import type { Metrics } from "@plumbline/telemetry";
import type { ServerCall } from "../call.ts";
import type { Principals } from "../identity/principals.ts";
import type { Interceptor } from "./interceptor.ts";

/** The callers of a method: those with all of the scopes, everybody, or other services only. */
export type MethodAccess =
  | { readonly kind: "scopes"; readonly scopes: readonly string[] }
  | { readonly kind: "public" }
  | { readonly kind: "internal" };

/** The access of methods by path: `/orders.v1.OrdersService/GetOrder`. */
export type AccessTable = ReadonlyMap<string, MethodAccess>;

/** The methods of gRPC itself: health checks, and reflection, which has a setting of its own. */
const ownMethods = /^grpc\.(?:health|reflection)\./;
/** The methods for callers without an identity. */
const probes = /^grpc\.health\./;

/**
 * Refuses callers that the access rule of a method does not name, as the gateway does before: a
 * service that is reached without the gateway gives nothing away. A method without a rule has no
 * callers.
 */
export function requireAccess(
  table: AccessTable,
  principals: Principals,
  metrics: Pick<Metrics, "counter">,
): Interceptor<ServerCall> {
  const denied = metrics.counter("rpc_server_denied_total", "Calls refused for who makes them.", ["method", "reason"]);
  return async (call, next) => {
    if (probes.test(call.method)) return next(call);
    try {
      principals.admit(call);
      if (!ownMethods.test(call.method)) check(table.get(`/${call.method}`), call, principals);
    } catch (error) {
      denied.inc({ method: call.method, reason: (error as ServiceError).reason ?? "DENIED" });
      throw error;
    }
    return next(call);
  };
}

function check(access: MethodAccess | undefined, call: ServerCall, principals: Principals): void {
  if (access?.kind === "public") return;
  if (access?.kind !== "scopes") {
    if (access !== undefined && principals.isBelieved(call)) return;
    throw new ServiceError("permission_denied", "this method is for other services", { reason: "CALLER_NOT_ALLOWED" });
  }
  const { principal } = call;
  if (principal === undefined) {
    throw new ServiceError("unauthenticated", "no caller that is believed here says who calls", {
      reason: "PRINCIPAL_MISSING",
    });
  }
  // The edge has checked the same, so this is the time that the call was on its way.
  if (principal.expiresMs + toleranceMs <= Date.now()) {
    throw new ServiceError("unauthenticated", "the access token has expired", { reason: "TOKEN_EXPIRED" });
  }
  requireScopes(principal, access.scopes);
}

const toleranceMs = 30_000;
