import { codeOf } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import type { Delivery, Middleware, Publisher } from "../broker.ts";
import { NotDueError } from "../errors.ts";
import { withHeaders } from "../message.ts";
import { delayOfRetryTopic, retryTopic } from "../topics.ts";
import { failedDelivery, originOf, publishFailedDelivery } from "./failed-delivery.ts";
import { isPermanent } from "./permanent.ts";

export const dueHeader = "plumbline-due";

/**
 * Publishes a message that failed in place to the group's next retry topic and acknowledges it
 * here, so that its key continues. Order per key ends there.
 *
 * Throws after the last delay and for permanent errors. `deadLettered`, one layer out, then
 * dead-letters the message. It also does so if the broker refuses the message itself, for example
 * as too large. If the retry topic cannot be written, nothing is acknowledged.
 */
export function retriedLater(publisher: Publisher, telemetry: Telemetry, delaysMs: readonly number[]): Middleware {
  const counter = telemetry.metrics.counter(
    "message_retried_later_total",
    "Messages moved to a retry topic of the group.",
    ["topic", "group", "delay_ms"],
  );
  return (next) => async (delivery) => {
    try {
      await next(delivery);
    } catch (error) {
      const failed = failedDelivery(delivery, error);
      const { message, attempts, cause } = failed;
      const delayMs = isPermanent(cause) ? undefined : nextDelay(delivery, delaysMs);
      if (delivery.signal.aborted || delayMs === undefined) throw error;
      const { group } = delivery;
      const topic = originOf(delivery);
      const due = withHeaders(message, { [dueHeader]: new Date(Date.now() + delayMs).toISOString() });
      const later = retryTopic(topic, group, delayMs);
      try {
        await publishFailedDelivery(publisher, telemetry.tracer, later, { ...failed, message: due }, delivery);
      } catch (refusal) {
        // A message that the broker never accepts would be redelivered without end.
        throw codeOf(refusal) === "invalid_argument" ? error : refusal;
      }
      counter.inc({ topic, group, delay_ms: delayMs });
      telemetry.logger.error("message moved to a retry topic", cause, {
        topic,
        group,
        id: message.id,
        attempts,
        delayMs,
      });
    }
  };
}

/**
 * Sends a message of a retry topic back to its lane until it is due. The outermost layer there. The
 * lane waits, but no slot does, and closing does not wait. A handler that slept would hold all
 * three.
 *
 * A message waits once, and no longer than the topic's delay. A later date is forged, and such
 * messages would hold the places of others without end.
 */
export const notBeforeDue: Middleware = (next) => async (delivery) => {
  const { topic, group, attempt, message } = delivery;
  const dueMs = Date.parse(message.headers[dueHeader] ?? "") - Date.now();
  const retryAfterMs = Math.min(dueMs, delayOfRetryTopic(topic, group) ?? 0);
  if (attempt === 1 && retryAfterMs > 0) throw new NotDueError(retryAfterMs);
  return next(delivery);
};

function nextDelay(delivery: Delivery, delaysMs: readonly number[]): number | undefined {
  const origin = originOf(delivery);
  const current = delaysMs.findIndex((delayMs) => retryTopic(origin, delivery.group, delayMs) === delivery.topic);
  return delaysMs[current + 1];
}
