import { codeOf } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import type { Middleware, Publisher } from "../broker.ts";
import { ownHeader } from "../message.ts";
import { deadTopic } from "../topics.ts";
import {
  type FailedDelivery,
  failedDelivery,
  failureHeaders,
  originOf,
  publishFailedDelivery,
} from "./failed-delivery.ts";

/**
 * Publishes a message that the inner layers failed to handle to `<topic>.<group>.dead`. The message
 * keeps its id and headers and gains the error and the number of attempts. It is then acknowledged,
 * so that its key continues.
 *
 * Throws if the dead-letter topic cannot be written, and then nothing is acknowledged. A message
 * that the broker refuses itself, because it is over the limit of size, is cut to its first bytes.
 * An aborted delivery is left to the partition's next owner.
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
      const publish = async (part: FailedDelivery) =>
        await publishFailedDelivery(publisher, telemetry.tracer, deadTopic(topic, group), part, delivery);
      try {
        await publish(failed);
      } catch (refusal) {
        if (codeOf(refusal) !== "invalid_argument") throw refusal;
        await publish(cut(failed));
      }
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

/** The bytes of a refused message that its dead letter keeps. */
const keptBytes = 1_024;
const keptChars = 200;

/**
 * Returns the failure with the beginning of its message: the first bytes of the data, of the key
 * and of each attribute, and no header but those of the failure.
 */
function cut(failed: FailedDelivery): FailedDelivery {
  const { id, source, type, key, time, contentType, data, headers } = failed.message;
  const short = (text: string) => text.slice(0, keptChars);
  const own = Object.entries(headers).filter(([name]) => name.startsWith(ownHeader));
  const message = {
    id: short(id),
    source: short(source),
    type: short(type),
    key: short(key),
    time,
    contentType: short(contentType),
    data: data.subarray(0, keptBytes),
    headers: { ...Object.fromEntries(own), [failureHeaders.cut]: String(data.byteLength) },
  };
  return { ...failed, message };
}
