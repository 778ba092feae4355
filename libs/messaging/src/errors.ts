import { ServiceError } from "@plumbline/errors";

/** What a closed broker answers. */
export function closedError(): ServiceError {
  return new ServiceError("failed_precondition", "the broker is closed");
}

export function missingTopicError(topic: string): ServiceError {
  return new ServiceError("not_found", `topic ${topic} does not exist`, { reason: "TOPIC_NOT_FOUND" });
}
