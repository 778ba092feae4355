import { ServiceError } from "@plumbline/errors";
import { type Message, sizeOf } from "./message.ts";

/** Close to Kafka's own default. Larger data belongs in a store, and its address in the message. */
export const defaultMaxMessageBytes = 1_000_000;

/** Throws `invalid_argument` if any message is too large, so that a batch is refused as a whole. */
export function refuseLarge(messages: readonly Message[], maxMessageBytes: number): void {
  for (const message of messages) {
    const bytes = sizeOf(message);
    if (bytes <= maxMessageBytes) continue;
    throw new ServiceError(
      "invalid_argument",
      `message ${message.id} has ${bytes} bytes; at most ${maxMessageBytes} are allowed`,
      {
        reason: "MESSAGE_TOO_LARGE",
      },
    );
  }
}

export const defaultRetentionMs = 7 * 24 * 3_600_000;
