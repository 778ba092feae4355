import type { Message } from "./message.ts";

/**
 * The headers of a message that say which client it is handled for, and how much work it is. They
 * stay with it through outbox, broker, retries and dead letters.
 */
const keyHeader = "share-key";
const costHeader = "share-cost";

const validKey = /^[\x21-\x7e]{1,45}$/;
const maxCost = 10_000;

/** A share of a consumer's places, and the cost of one message in it. */
export interface MessageShare {
  /** The key of the client; "" for a message that names none. */
  readonly share: string;
  readonly cost: number;
}

/** Returns the headers for a message of the client with this key. */
export function shareHeaders(key: string, cost: number): Record<string, string> {
  return { [keyHeader]: key, [costHeader]: String(cost) };
}

/**
 * Returns the share of a message. An invalid key counts as none, and an invalid cost as 1, since
 * others than our services may have written them.
 */
export function shareOf({ headers }: Pick<Message, "headers">): MessageShare {
  const key = headers[keyHeader] ?? "";
  const cost = Number(headers[costHeader] ?? 1);
  return {
    share: validKey.test(key) ? key : "",
    cost: cost >= 1 ? Math.min(cost, maxCost) : 1,
  };
}
