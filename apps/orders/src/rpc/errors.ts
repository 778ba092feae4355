import { type Code, ServiceError } from "@plumbline/errors";
import { InvalidOrderError, OrderAlreadyFulfilledError, OrderAlreadyRejectedError } from "../domain/order.ts";
import { CustomerMismatchError } from "../use-cases/caller.ts";
import { InvalidListError } from "../use-cases/list-orders.ts";
import { InvalidIdempotencyKeyError, OrderQuotaError, TooManyPendingError } from "../use-cases/place-order.ts";
import { IdempotencyKeyReusedError, OrderNotFoundError, TooManyWatchersError } from "../use-cases/ports.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- the constructors differ in what they take, and only `instanceof` is asked
type ErrorClass = abstract new (...values: any[]) => Error;

/**
 * The codes and reasons of the service's own errors. Other errors have a code or are `internal`.
 */
const names: readonly (readonly [ErrorClass, Code, string])[] = [
  [InvalidOrderError, "invalid_argument", "ORDER_INVALID"],
  [InvalidListError, "invalid_argument", "LIST_INVALID"],
  [InvalidIdempotencyKeyError, "invalid_argument", "IDEMPOTENCY_KEY_INVALID"],
  [IdempotencyKeyReusedError, "failed_precondition", "IDEMPOTENCY_KEY_REUSED"],
  [CustomerMismatchError, "permission_denied", "CUSTOMER_MISMATCH"],
  [OrderNotFoundError, "not_found", "ORDER_NOT_FOUND"],
  [OrderAlreadyFulfilledError, "failed_precondition", "ORDER_ALREADY_FULFILLED"],
  [OrderAlreadyRejectedError, "failed_precondition", "ORDER_ALREADY_REJECTED"],
  [TooManyWatchersError, "resource_exhausted", "TOO_MANY_WATCHERS"],
];

/** Returns the error that the caller gets. */
export function toServiceError(error: unknown): unknown {
  if (error instanceof TooManyPendingError) {
    const [code, reason] = error.isInAll
      ? (["unavailable", "TOO_MANY_PENDING_ORDERS"] as const)
      : (["resource_exhausted", "TOO_MANY_PENDING_ORDERS_OF_CLIENT"] as const);
    return new ServiceError(code, error.message, { cause: error, reason, retryAfterMs: 1_000 });
  }
  if (error instanceof OrderQuotaError) {
    const { message, retryAfterMs } = error;
    return new ServiceError("resource_exhausted", message, { cause: error, reason: "ORDER_QUOTA", retryAfterMs });
  }
  for (const [type, code, reason] of names) {
    if (!(error instanceof type)) continue;
    const violations = error instanceof InvalidOrderError || error instanceof InvalidListError ? error.violations : [];
    return new ServiceError(code, error.message, {
      cause: error,
      reason,
      violations: violations.map(({ field, description }) => ({ field: inProto(field), description })),
    });
  }
  return error;
}

/** Returns the name of a request's field in the proto: `customer_id`. */
function inProto(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
