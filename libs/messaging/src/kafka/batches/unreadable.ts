import { ServiceError } from "@plumbline/errors";
import type { Middleware } from "../../broker.ts";

/** The message that stands for a batch that cannot be read. */
export const unreadable = {
  type: "plumbline.messaging.UnreadableBatch",
  offsets: "unreadable-offsets",
  bytes: "unreadable-bytes",
  reason: "unreadable-reason",
} as const;

/** Returns the headers of such a message. */
export function unreadableHeaders(batch: {
  readonly offsets: readonly [bigint, bigint];
  readonly bytes: number;
  readonly reason: string;
}): Record<string, string> {
  return {
    [unreadable.offsets]: batch.offsets.join("-"),
    [unreadable.bytes]: String(batch.bytes),
    [unreadable.reason]: batch.reason.slice(0, 200),
  };
}

/**
 * Refuses the message that stands for a batch that cannot be read, with `data_loss`. The error is
 * permanent, so the place and the first bytes of the batch go to the dead letters.
 */
export const refuseUnreadable: Middleware = (next) => async (delivery) => {
  const { type, headers } = delivery.message;
  if (type !== unreadable.type) return await next(delivery);
  const part = (name: string) => (headers[name] ?? "unknown").slice(0, 200);
  throw new ServiceError(
    "data_loss",
    `a batch cannot be read: offsets ${part(unreadable.offsets)}, ${part(unreadable.bytes)} bytes, ${part(unreadable.reason)}`,
    { reason: "UNREADABLE_BATCH" },
  );
};
