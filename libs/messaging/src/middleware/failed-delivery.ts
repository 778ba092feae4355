import type { Abortable } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Tracer } from "@plumbline/telemetry";
import type { Delivery, Publisher } from "../broker.ts";
import { type Message, withHeaders } from "../message.ts";
import { originOfRetryTopic } from "../topics.ts";
import { AttemptsExhaustedError } from "./retried.ts";

/** The headers that this library adds to a failed message. The original ones stay beside them. */
export const failureHeaders = {
  topic: "plumbline-topic",
  group: "plumbline-group",
  attempts: "plumbline-attempts",
  code: "plumbline-error-code",
  error: "plumbline-error",
  time: "plumbline-failed-at",
  /** The size of the data of a message that was cut, because it was over the limit. */
  cut: "plumbline-cut-from-bytes",
} as const;

/** A delivery that failed, and the message as it goes to a retry or dead-letter topic. */
export interface FailedDelivery {
  readonly message: Message;
  /** The total over every topic that the message went through. */
  readonly attempts: number;
  readonly cause: unknown;
}

/**
 * Returns the message with the failure in its headers. It keeps its id and source, so that an inbox
 * recognizes it.
 */
export function failedDelivery(delivery: Delivery, error: unknown): FailedDelivery {
  const exhausted = error instanceof AttemptsExhaustedError;
  const cause = exhausted ? error.cause : error;
  const { headers } = delivery.message;
  const attempts = countOf(headers[failureHeaders.attempts]) + (exhausted ? error.attempts : 1);
  const message = withHeaders(delivery.message, {
    [failureHeaders.topic]: originOf(delivery),
    [failureHeaders.group]: delivery.group,
    [failureHeaders.attempts]: String(attempts),
    [failureHeaders.code]: codeOf(cause),
    [failureHeaders.error]: oneLine(cause),
    [failureHeaders.time]: new Date().toISOString(),
  });
  return { message, attempts, cause };
}

/**
 * Publishes a failed message to a retry or dead-letter topic of the group. The publish belongs to
 * the trace of the delivery that failed, because that failure caused it.
 */
export async function publishFailedDelivery(
  publisher: Publisher,
  tracer: Tracer,
  topic: string,
  { message, attempts, cause }: FailedDelivery,
  { signal }: Abortable,
): Promise<void> {
  const attributes = {
    "messaging.operation.type": "send",
    "messaging.destination.name": topic,
    "messaging.message.id": message.id,
    "plumbline.attempts": attempts,
    "plumbline.error_code": codeOf(cause),
  };
  await tracer.span(`publish ${topic}`, { kind: "producer", attributes }, async () => {
    await publisher.publish(topic, [withHeaders(message, tracer.carrier())], { signal });
  });
}

/**
 * Returns the topic that the message was first published to, also if this delivery comes from a
 * retry topic. The name of the topic alone decides, because anyone who may publish can write any
 * header.
 */
export function originOf({ topic, group }: Pick<Delivery, "topic" | "group">): string {
  return originOfRetryTopic(topic, group) ?? topic;
}

/** Returns the number in a header, or 0 for a text that no earlier failure can have written. */
export function countOf(text = "0"): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : 0;
}

/** Returns the error in one line. The log has all of it, under the message's id. */
function oneLine(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll(/\s+/g, " ").slice(0, 500);
}
