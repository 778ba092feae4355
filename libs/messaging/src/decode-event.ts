import { ServiceError } from "@plumbline/errors";
import type { Message } from "./message.ts";

/** A reader of one event type's bytes. Every generated message type is one. */
export interface EventDecoder<T> {
  decode(data: Uint8Array): T;
}

/**
 * Returns the event that the message carries. Throws `data_loss` if it cannot be decoded. The error
 * is permanent: no retry can succeed, so the message goes to the dead letters after one attempt.
 */
export function decodeEvent<T>(decoder: EventDecoder<T>, message: Message): T {
  try {
    return decoder.decode(message.data);
  } catch (cause) {
    throw new ServiceError("data_loss", `the event of type ${message.type} cannot be decoded`, { cause });
  }
}
