import type { Telemetry } from "@plumbline/telemetry";
import type { Middleware, Publisher } from "../broker.ts";
import { deadTopic } from "../topics.ts";
import { failedDelivery, originOf, publishFailedDelivery } from "./failed-delivery.ts";

/**
 * Publishes a message that the inner layers failed to handle to `<topic>.<group>.dead`. The message
 * keeps its id and headers and gains the error and the number of attempts. It is then acknowledged,
 * so that its key continues.
 *
 * Throws if the dead-letter topic cannot be written, and then nothing is acknowledged. An aborted
 * delivery is left to the partition's next owner.
 */
export function deadLettered(publisher: Publisher, telemetry: Telemetry): Middleware {
  const counter = telemetry.metrics.counter(
    "message_dead_lettered_total",
    "Messages given up and written to the group's dead-letter topic.",
    ["topic", "group"],
  );
  return (next) => async (delivery) => {
    try {
      await next(delivery);
    } catch (error) {
      if (delivery.signal.aborted) throw error;
      const { group } = delivery;
      const topic = originOf(delivery);
      const failed = failedDelivery(delivery, error);
      const { message, attempts, cause } = failed;
      await publishFailedDelivery(publisher, telemetry.tracer, deadTopic(topic, group), failed, delivery);
      counter.inc({ topic, group });
      telemetry.logger.error("message dead-lettered", cause, {
        topic,
        group,
        id: message.id,
        type: message.type,
        attempts,
      });
    }
  };
}
