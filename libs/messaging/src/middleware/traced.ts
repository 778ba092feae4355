import type { Telemetry } from "@plumbline/telemetry";
import type { Middleware } from "../broker.ts";

/**
 * Wraps a delivery in a consumer span that continues the trace of the message's headers. Observes
 * `message_process_duration_seconds{topic,group,outcome}` once.
 *
 * The outermost layer: it counts retries as part of the work and a dead-lettered message as
 * handled. Dead letters are counted when they are written.
 */
export function traced(telemetry: Telemetry): Middleware {
  const duration = telemetry.metrics.histogram(
    "message_process_duration_seconds",
    "Time to handle one delivery, its in-place retries included.",
    ["topic", "group", "outcome"],
  );
  return (next) => async (delivery) => {
    const { topic, group, message } = delivery;
    const started = performance.now();
    let outcome = "error";
    const attributes = {
      "messaging.operation.type": "process",
      "messaging.destination.name": topic,
      "messaging.consumer.group.name": group,
      "messaging.message.id": message.id,
      "messaging.message.body.size": message.data.byteLength,
      "cloudevents.event_type": message.type,
    };
    const options = { kind: "consumer", parent: message.headers, attributes } as const;
    await telemetry.tracer.span(`process ${topic}`, options, async () => {
      try {
        await next(delivery);
        outcome = "ok";
      } finally {
        duration.observe({ topic, group, outcome }, (performance.now() - started) / 1000);
      }
    });
  };
}
