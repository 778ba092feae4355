import { ServiceError } from "@plumbline/errors";
import { type Message, sizeOf } from "./message.ts";

/** Kafka's own default is close to it. Larger things belong into a store, and their address into the message. */
export const defaultMaxMessageBytes = 1_000_000;

/** Before anything is sent: a batch is refused whole or not at all. */
export function refuseLarge(messages: readonly Message[], maxMessageBytes: number): void {
  for (const message of messages) {
    const bytes = sizeOf(message);
    if (bytes <= maxMessageBytes) continue;
    throw new ServiceError(
      "invalid_argument",
      `message ${message.id} has ${bytes} bytes, the limit is ${maxMessageBytes}`,
      {
        reason: "MESSAGE_TOO_LARGE",
      },
    );
  }
}

export const defaultRetentionMs = 7 * 24 * 3_600_000;
