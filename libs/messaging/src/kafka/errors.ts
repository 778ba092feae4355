import { ServiceError } from "@plumbline/errors";
import { missingTopicError } from "../errors.ts";

/** What kafkajs threw, as our error: a topic that is not there, a message the broker finds too large, anything else is `unavailable`. */
export function fromKafka(error: unknown, topic: string): unknown {
  const type = typeOf(error);
  if (type === "UNKNOWN_TOPIC_OR_PARTITION") return missingTopicError(topic);
  if (type === "MESSAGE_TOO_LARGE" || type === "RECORD_LIST_TOO_LARGE") {
    return new ServiceError("invalid_argument", "the broker refuses a message of this size", {
      reason: "MESSAGE_TOO_LARGE",
      cause: error,
    });
  }
  return new ServiceError("unavailable", "Kafka did not answer", { cause: error });
}

/** The protocol's name of an error, also of one that kafkajs wrapped when its retries were over. */
function typeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 5; depth++) {
    if ("type" in at && typeof at.type === "string") return at.type;
    at = "cause" in at ? at.cause : undefined;
  }
  return undefined;
}
