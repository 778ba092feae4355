import { isServiceError, ServiceError } from "@plumbline/errors";
import { DatabaseError } from "pg";

/** The SQLSTATE of an error of the server's, or of one wrapped around it ("23505"); undefined for any other. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code;
  return isServiceError(error) && error.cause instanceof DatabaseError ? error.cause.code : undefined;
}

/** Whether a unique constraint refused the row; with a name, that one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof DatabaseError &&
    error.code === "23505" &&
    (constraint === undefined || error.constraint === constraint)
  );
}

/** The server rolled back because of others, and the same transaction may succeed now: serialization_failure, deadlock_detected. */
export function isConflict(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === "40001" || state === "40P01";
}

/** After these the connection is of no more use: it is gone, its plan is outdated, or its server is a read-only standby now. */
export function ruinsConnection(error: unknown): boolean {
  // Of other errors (a value that cannot be written, a column that cannot be read) it recovers.
  if (!(error instanceof DatabaseError)) return isConnectionFailure(error);
  const state = error.code ?? "";
  const cachedPlan = state === "0A000" && (error.message ?? "").includes("cached plan");
  return (
    error.severity === "FATAL" || error.severity === "PANIC" || isUnavailable(state) || state === "26000" || cachedPlan
  );
}

/**
 * What a caller should know of a failure: that the database cannot be reached, is full, gave up at the deadline, or gave
 * way to another transaction. All else stays the server's own error: the caller knows its constraints, we do not.
 */
export function translate(error: unknown): unknown {
  if (isServiceError(error)) return error;
  if (!(error instanceof DatabaseError)) {
    return isConnectionFailure(error)
      ? new ServiceError("unavailable", "the database cannot be reached", { cause: error })
      : error;
  }
  const state = error.code ?? "";
  if (isUnavailable(state)) return new ServiceError("unavailable", "the database is not available", { cause: error });
  if (isConflict(error)) return new ServiceError("aborted", "the change met another one", { cause: error });
  if (state === "55P03") return new ServiceError("aborted", "the row or table is locked", { cause: error });
  if (state.startsWith("53"))
    return new ServiceError("resource_exhausted", "the database is out of resources", { cause: error });
  if (state === "57014") {
    return error.message.includes("statement timeout")
      ? new ServiceError("deadline_exceeded", "the statement took too long", { cause: error })
      : new ServiceError("aborted", "the statement was cancelled by an operator", { cause: error });
  }
  return error;
}

function isUnavailable(state: string): boolean {
  // Connection exceptions; shutting down or starting; too many connections; writes refused, as this server is a standby now.
  return state.startsWith("08") || ["57P01", "57P02", "57P03", "57P05", "25P03", "53300", "25006"].includes(state);
}

/** Errors of sockets and names, and pg's own of a connection that ended: those have no code. */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && typeof error.code === "string" && /^(E[A-Z]+|EAI_\w+)$/.test(error.code)) return true;
  return /^Connection terminated|^timeout expired$|not queryable$|^The server does not support SSL|^There was an error establishing an SSL/.test(
    error.message,
  );
}
