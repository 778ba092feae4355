import { ServiceError } from "@plumbline/errors";
import type { Handler } from "./broker.ts";

/**
 * Returns a handler for the messages of one source, the publisher of the topic. Any other is
 * refused with `invalid_argument`, which is permanent: it has no effect and goes to the dead
 * letters. The broker holds off those who must not publish. This finds what got in all the same,
 * such as a message that an operator sent to the wrong topic.
 */
export function fromSource(source: string, handler: Handler): Handler {
  return async (delivery) => {
    const { topic, message } = delivery;
    if (message.source !== source) {
      const text = `the source of a message on ${topic} is ${source}, not ${JSON.stringify(message.source.slice(0, 100))}`;
      throw new ServiceError("invalid_argument", text, { reason: "WRONG_SOURCE" });
    }
    await handler(delivery);
  };
}
