import { isServiceError, ServiceError } from "@plumbline/errors";
import { DatabaseError } from "pg";

/**
 * Returns the SQLSTATE ("23505") of a server error, also of a wrapped one. Undefined for other
 * errors.
 */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code;
  return isServiceError(error) ? sqlStateOf(error.cause) : undefined;
}

/** Returns true if a unique constraint refused the row: any, or the named one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof DatabaseError &&
    error.code === "23505" &&
    (constraint === undefined || error.constraint === constraint)
  );
}

/**
 * Returns true for a serialization failure or a deadlock: the same transaction may succeed when
 * retried.
 */
export function isConflict(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === "40001" || state === "40P01";
}

/** Returns true if the server refused the role or its password, or lets the role not log in. */
export function isLoginRefused(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === "28P01" || state === "28000";
}

/** The reason of errors of a database that takes no writes: a standby, or an old primary. */
export const readOnlyReason = "DATABASE_READ_ONLY";

/**
 * Returns true if the connection cannot be reused: it is lost, has an outdated plan, or leads to a
 * standby.
 */
export function ruinsConnection(error: unknown): boolean {
  // It recovers from other errors, such as a value that cannot be written or a column that cannot
  // be read.
  if (!(error instanceof DatabaseError)) return isConnectionFailure(error);
  const state = error.code ?? "";
  const cachedPlan = state === "0A000" && (error.message ?? "").includes("cached plan");
  return (
    error.severity === "FATAL" || error.severity === "PANIC" || isUnavailable(state) || state === "26000" || cachedPlan
  );
}

/**
 * Translates a failure to a ServiceError if the database is unreachable, out of resources, past the
 * deadline, or in conflict with another transaction. Other errors stay as they are, since only the
 * caller knows its constraints.
 */
export function translate(error: unknown): unknown {
  if (isServiceError(error)) return error;
  if (!(error instanceof DatabaseError)) {
    return isConnectionFailure(error)
      ? new ServiceError("unavailable", "the database cannot be reached", { cause: error })
      : error;
  }
  const state = error.code ?? "";
  if (state === "25006") {
    return new ServiceError("unavailable", "the database takes no writes: check that it is the primary", {
      reason: readOnlyReason,
      cause: error,
    });
  }
  if (isUnavailable(state)) return new ServiceError("unavailable", "the database is not available", { cause: error });
  if (isConflict(error))
    return new ServiceError("aborted", "the transaction conflicted with another one", { cause: error });
  if (state === "55P03") return new ServiceError("aborted", "the row or table is locked", { cause: error });
  if (state.startsWith("53"))
    return new ServiceError("resource_exhausted", "the database is out of resources", { cause: error });
  if (state === "57014") {
    return error.message.includes("statement timeout")
      ? new ServiceError("deadline_exceeded", "the statement exceeded its time limit", { cause: error })
      : new ServiceError("aborted", "the statement was cancelled by an operator", { cause: error });
  }
  return error;
}

function isUnavailable(state: string): boolean {
  // Connection exceptions, shutdown, startup, too many connections, writes refused by a standby.
  return state.startsWith("08") || ["57P01", "57P02", "57P03", "57P05", "25P03", "53300", "25006"].includes(state);
}

/**
 * Returns true for errors of sockets and name lookups, and for pg's own errors of ended
 * connections.
 */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && typeof error.code === "string" && /^(E[A-Z]+|EAI_\w+)$/.test(error.code)) return true;
  return /^Connection terminated|^timeout expired$|not queryable$|^The server does not support SSL|^There was an error establishing an SSL/.test(
    error.message,
  );
}
