import type { Telemetry } from "@plumbline/telemetry";
import type { Handler } from "./broker.ts";

/**
 * Returns a handler that passes each message to the handler of its type. A message of any other
 * type is acknowledged without effect: a topic gains event types before all its consumers know
 * them.
 *
 * Such messages are counted and logged, because a wrong type would lose an event in silence. The
 * label `type` is a type of `known`, or "other": a sender cannot make series of its own.
 */
export function byType(
  handlers: Readonly<Record<string, Handler>>,
  { metrics, logger }: Pick<Telemetry, "metrics" | "logger">,
  known: readonly string[] = [],
): Handler {
  // A map, because `handlers["valueOf"]` would find the method that every object inherits.
  const table = new Map(Object.entries(handlers));
  const names = new Set(known);
  const counter = metrics.counter(
    "message_ignored_total",
    "Messages acknowledged without effect, because their type has no handler.",
    ["topic", "group", "type"],
  );
  return async (delivery) => {
    const { topic, group, message } = delivery;
    const handler = table.get(message.type);
    if (handler !== undefined) return await handler(delivery);
    const { id, type } = message;
    counter.inc({ topic, group, type: names.has(type) ? type : "other" });
    logger.warn("message ignored, because its type has no handler", { topic, group, type, id });
  };
}
