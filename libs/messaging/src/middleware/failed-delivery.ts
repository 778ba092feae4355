import type { Abortable } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Tracer } from "@plumbline/telemetry";
import type { Delivery, Publisher } from "../broker.ts";
import { type Message, withHeaders } from "../message.ts";
import { AttemptsExhaustedError } from "./retried.ts";

/** The headers a message carries once it was given up. The original ones stay beside them. */
export const failureHeaders = {
  topic: "plumbline-topic",
  group: "plumbline-group",
  attempts: "plumbline-attempts",
  code: "plumbline-error-code",
  error: "plumbline-error",
  time: "plumbline-failed-at",
} as const;

export interface FailedDelivery {
  readonly message: Message;
  /** In all, over every topic the message went through. */
  readonly attempts: number;
  readonly cause: unknown;
}

/** The same message with what went wrong in its headers; id and source stay, so that an inbox knows it again. */
export function failedDelivery(delivery: Delivery, error: unknown): FailedDelivery {
  const exhausted = error instanceof AttemptsExhaustedError;
  const cause = exhausted ? error.cause : error;
  const { headers } = delivery.message;
  const attempts = Number(headers[failureHeaders.attempts] ?? 0) + (exhausted ? error.attempts : 1);
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

/** Publishes to a topic of the group's own, within the trace of the delivery that failed: what is done with it next is caused by this. */
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
    const headers: Record<string, string> = {};
    tracer.inject(headers);
    await publisher.publish(topic, [withHeaders(message, headers)], { signal });
  });
}

/** The topic the message was published to, also where this delivery comes from one of the group's retry topics. */
export function originOf({ topic, group, message: { headers } }: Delivery): string {
  const origin = headers[failureHeaders.group] === group ? headers[failureHeaders.topic] : undefined;
  return origin ?? topic;
}

/** The whole story is in the log, under the message's id. */
function oneLine(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll(/\s+/g, " ").slice(0, 500);
}
