import type { Handler } from "./broker.ts";

/**
 * Returns a handler that passes each message to the handler of its type. A message of any other
 * type is acknowledged without effect: a topic gains event types before all its consumers know
 * them.
 */
export function byType(handlers: Readonly<Record<string, Handler>>): Handler {
  // A map, because `handlers["valueOf"]` would find the method that every object inherits.
  const table = new Map(Object.entries(handlers));
  return async (delivery) => {
    await table.get(delivery.message.type)?.(delivery);
  };
}
