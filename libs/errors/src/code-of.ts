import type { Code } from "./codes.ts";
import { isServiceError } from "./service-error.ts";

/**
 * Returns the code of any thrown value. An `AbortError` is `cancelled`, a `TimeoutError` is
 * `deadline_exceeded`, and any other value that is not a ServiceError is `internal`. Causes are not
 * searched: the code that wraps an error decides.
 */
export function codeOf(error: unknown): Code {
  if (isServiceError(error)) return error.code;
  switch (nameOf(error)) {
    case "AbortError":
      return "cancelled";
    case "TimeoutError":
      return "deadline_exceeded";
    default:
      return "internal";
  }
}

function nameOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "name" in error ? error.name : undefined;
}
