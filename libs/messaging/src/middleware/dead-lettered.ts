import type { Telemetry } from "@plumbline/telemetry";
import type { Middleware, Publisher } from "../broker.ts";
import { deadTopic } from "../topics.ts";
import { failedDelivery, originOf, publishFailedDelivery } from "./failed-delivery.ts";

/**
 * Parks what the layers inside gave up: the message goes to `<topic>.<group>.dead` with its id and headers, the error
 * and the attempts, and is then acknowledged, so that it holds up its key no longer. If it cannot be written there the
 * handler throws and nothing is acknowledged. A delivery that was aborted is left to the partition's next owner.
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
