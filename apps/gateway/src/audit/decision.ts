import { isServiceError } from "@plumbline/errors";
import type { Exchange } from "../http/exchange.ts";
import type { Decision } from "./audit-log.ts";

/** The codes of decisions against a caller. Others are about the request or about a service. */
const refusals = new Set(["unauthenticated", "permission_denied", "resource_exhausted"]);
const operates = (scope: string): boolean => scope.endsWith(":operate");

/**
 * Returns what the audit log has of a request that was answered: a refusal, or what an operator was
 * let do. Undefined for others.
 */
export function decisionOf(
  { principal, failure, client, clientKey, requestId }: Exchange,
  method: string,
  route: string,
  path: string,
): Decision | undefined {
  const isRefused = isServiceError(failure) && refusals.has(failure.code);
  if (!isRefused && (failure !== undefined || principal?.scopes.some(operates) !== true)) return undefined;
  return {
    outcome: isRefused ? "refused" : "operated",
    reason: isRefused ? (failure.reason ?? failure.code) : "OPERATOR",
    subject: principal?.subject,
    client: principal?.client,
    address: client,
    addressKey: clientKey,
    method,
    route,
    object: path.slice(0, 256),
    requestId,
  };
}
