import { ServiceError } from "@plumbline/errors";
import { createMessage, type Message } from "./message.ts";

/** A writer of one event type: its name, and its protobuf encoding. */
export interface EventEncoder<T> {
  readonly type: string;
  encode(event: T): Uint8Array;
}

/** Creates the message that carries `event`. */
export function eventMessage<T>(
  encoder: EventEncoder<T>,
  event: T,
  fields: Pick<Message, "source" | "key" | "time"> & Partial<Pick<Message, "headers">>,
): Message {
  const { type } = encoder;
  return createMessage({ ...fields, type, contentType: "application/protobuf", data: encoder.encode(event) });
}

/**
 * Returns the error for an event that was decoded but breaks its contract: `invalid_argument`. The
 * error is permanent, so the message goes to the dead letters after one attempt.
 */
export function invalidEvent(message: Message, description: string, options: { cause?: unknown } = {}): ServiceError {
  return new ServiceError("invalid_argument", `the event of type ${message.type} is invalid: ${description}`, options);
}
