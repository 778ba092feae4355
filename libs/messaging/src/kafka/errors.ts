import { ServiceError } from "@plumbline/errors";
import { missingTopicError } from "../errors.ts";
import { type KafkaOptions, usernameOf } from "./options.ts";

/** The options that errors may name. */
export type NamedInErrors = Partial<Pick<KafkaOptions, "brokers" | "sasl">>;

/**
 * Returns our error for one of a client library: a missing topic, a message too large for the
 * broker, what no ACL allows, or `unavailable`, which says if the login was refused, and names the
 * brokers if they are given.
 */
export function fromKafka(error: unknown, topic: string, { brokers = [], sasl }: NamedInErrors = {}): unknown {
  if (isUnknownTopic(error)) return missingTopicError(topic);
  if (hasCode(error, "MESSAGE_TOO_LARGE") || hasCode(error, "RECORD_LIST_TOO_LARGE")) {
    return new ServiceError("invalid_argument", "the message is larger than the broker allows", {
      reason: "MESSAGE_TOO_LARGE",
      cause: error,
    });
  }
  if (["TOPIC", "GROUP", "CLUSTER"].some((kind) => hasCode(error, `${kind}_AUTHORIZATION_FAILED`))) {
    const what = topic === "" ? "Kafka refuses this to the user" : `Kafka refuses this to the user: topic ${topic}`;
    return new ServiceError("permission_denied", `${what}; an ACL must allow it`, {
      reason: "KAFKA_NOT_ALLOWED",
      cause: lastAttempt(error),
    });
  }
  const where = brokers.length === 0 ? "" : ` at ${brokers.join(", ")}`;
  if (isLoginRefused(error)) {
    const who = sasl === undefined ? "" : ` of user "${usernameOf(sasl)}" by ${sasl.mechanism}`;
    const advice = "check sasl.username and sasl.password, and that the brokers have the user and the mechanism";
    return new ServiceError("unavailable", `Kafka refuses the login${who}${where}: ${advice}`, {
      reason: "KAFKA_LOGIN_REFUSED",
      cause: lastAttempt(error),
    });
  }
  const fault = tlsFaultOf(error);
  const why = fault === undefined ? "" : ` over TLS (${fault}): check the authorities and the client certificate`;
  return new ServiceError("unavailable", `Kafka did not answer${where}${why}`, { cause: lastAttempt(error) });
}

/**
 * Returns true if the broker refused the user, the password or the mechanism. kafkajs has only the
 * message of a refusal, and the same error for a connection that ended during the login.
 */
function isLoginRefused(error: unknown): boolean {
  if (hasCode(error, "SASL_AUTHENTICATION_FAILED") || hasCode(error, "UNSUPPORTED_SASL_MECHANISM")) return true;
  if (!(error instanceof Error)) return false;
  if (/^SASL .* authentication failed: (?!Closed|Connection|Request)/.test(error.message)) return true;
  return error.message.endsWith(" mechanism is not supported by the server") || isLoginRefused(error.cause);
}

/** Returns the fault of a certificate that the error, or one that it wraps, is about. */
function tlsFaultOf(error: unknown, depth = 5): string | undefined {
  if (!(error instanceof Error) || depth === 0) return undefined;
  const { message } = error;
  const [alert] = /alert [a-z ]+/.exec(message) ?? [];
  if (alert !== undefined) return `the broker sent the ${alert}`;
  if (/certificate/i.test(message)) return message.slice(0, 300);
  const inner = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  for (const one of [error.cause, ...inner]) {
    const found = tlsFaultOf(one, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns true if a partition has no leader yet, or another one. */
export function isWithoutLeader(error: unknown): boolean {
  const codes = ["NOT_LEADER_OR_FOLLOWER", "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE"];
  return codes.some((code) => hasCode(error, code)) || isUnknownTopic(error);
}

/**
 * Returns the error of the last attempt. @platformatic/kafka keeps those of all attempts, which are
 * the same.
 */
function lastAttempt(error: unknown): unknown {
  const isRepeated = error instanceof AggregateError && / failed \d+ times\.$/.test(error.message);
  return isRepeated ? error.errors.at(-1) : error;
}

/**
 * Returns true if the topic is unknown. @platformatic/kafka reports a topic without metadata only
 * by its message.
 */
function isUnknownTopic(error: unknown): boolean {
  const isByMessage = error instanceof Error && error.message.startsWith("Unknown topic ");
  return isByMessage || hasCode(error, "UNKNOWN_TOPIC_OR_PARTITION");
}

/**
 * Returns true if the error, or one that it wraps, has this code of Kafka's protocol. kafkajs has
 * the code in `type` and wraps by `cause`. @platformatic/kafka has it in `apiId` and wraps by
 * `errors`.
 */
export function hasCode(error: unknown, code: string, depth = 8): boolean {
  if (typeof error !== "object" || error === null || depth === 0) return false;
  if (("type" in error && error.type === code) || ("apiId" in error && error.apiId === code)) return true;
  if ("errors" in error && Array.isArray(error.errors)) {
    return error.errors.some((inner: unknown) => hasCode(inner, code, depth - 1));
  }
  return "cause" in error && hasCode(error.cause, code, depth - 1);
}
