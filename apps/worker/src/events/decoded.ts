import { ServiceError } from "@plumbline/errors";
import type { Message } from "@plumbline/messaging";

/** The event a message carries. Throws `data_loss`, which no repetition mends, where it carries none. */
export function decoded<T>(codec: { decode(data: Uint8Array): T }, message: Message): T {
  try {
    return codec.decode(message.data);
  } catch (cause) {
    throw new ServiceError("data_loss", `${message.type} cannot be decoded`, { cause });
  }
}

/** The event cannot be meant: `invalid_argument`, which no repetition mends. */
export function refused(message: Message, description: string): ServiceError {
  return new ServiceError("invalid_argument", `${message.type}: ${description}`);
}
