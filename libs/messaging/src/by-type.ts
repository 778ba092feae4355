import { ServiceError } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import type { Handler } from "./broker.ts";

/**
 * Returns a handler that passes each message to the handler of its type. A message of one of the
 * types in `known`, those of the topic that this reader leaves to others, is acknowledged without
 * effect and counted.
 *
 * Any other is refused with `invalid_argument`, which is permanent: it has no effect and goes to
 * the dead letters. Its publisher is wrong, or newer than this reader: then a replay after the
 * reader's upgrade handles it, so that nothing is lost.
 */
export function byType(
  handlers: Readonly<Record<string, Handler>>,
  { metrics }: Pick<Telemetry, "metrics">,
  known: readonly { readonly type: string }[] = [],
): Handler {
  // A map, because `handlers["valueOf"]` would find the method that every object inherits.
  const table = new Map(Object.entries(handlers));
  const names = new Set(known.map(({ type }) => type));
  const counter = metrics.counter(
    "message_ignored_total",
    "Messages acknowledged without effect, because their type is known and has no handler.",
    ["topic", "group", "type"],
  );
  return async (delivery) => {
    const { topic, group, message } = delivery;
    const handler = table.get(message.type);
    if (handler !== undefined) return await handler(delivery);
    const { type } = message;
    if (!names.has(type)) {
      const text = `this reader of ${topic} knows no message of type ${JSON.stringify(type.slice(0, 100))}`;
      throw new ServiceError("invalid_argument", text, { reason: "UNKNOWN_TYPE" });
    }
    counter.inc({ topic, group, type });
  };
}
