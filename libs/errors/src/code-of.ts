import type { Code } from "./codes.ts";
import { isServiceError } from "./service-error.ts";

/**
 * The code of anything that was thrown. An abort is `cancelled` and a timeout `deadline_exceeded`, by the names that
 * the platform gives them; what nobody named is `internal`. Causes are not searched: who wraps decides.
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
