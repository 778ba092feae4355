import { ServiceError } from "@plumbline/errors";

/** Returns the error of every call on a closed broker. */
export function closedError(): ServiceError {
  return new ServiceError("failed_precondition", "the broker is closed");
}

export function missingTopicError(topic: string): ServiceError {
  return new ServiceError("not_found", `topic ${topic} does not exist`, { reason: "TOPIC_NOT_FOUND" });
}

/**
 * The error of a message that a retry topic delivers before its time. No handler has run, so it is
 * not logged as a failure, and the message waits in its lane until it is due.
 */
export class NotDueError extends ServiceError {
  constructor(retryAfterMs: number) {
    super("unavailable", "the message is not due yet", { retryAfterMs });
  }
}
