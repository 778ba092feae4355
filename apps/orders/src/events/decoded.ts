import { ServiceError } from "@plumbline/errors";
import type { Message } from "@plumbline/messaging";

/**
 * What `read` makes of a message. A message it throws on will not be better the next time: `invalid_argument` says so, and
 * the message goes to the dead letters at once.
 */
export function decoded<T>(message: Message, read: (data: Uint8Array) => T): T {
  try {
    return read(message.data);
  } catch (cause) {
    throw new ServiceError("invalid_argument", `a message of type ${message.type} cannot be read`, { cause });
  }
}
