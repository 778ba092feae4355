import { sleep } from "@plumbline/concurrency";
import type { Publisher } from "../src/broker.ts";
import type { Message } from "../src/message.ts";

/** Publishes until accepted, with the same ids each time, like the outbox relay. */
export async function publishUntilAccepted(
  publisher: Publisher,
  topic: string,
  batch: readonly Message[],
): Promise<void> {
  for (;;) {
    try {
      return await publisher.publish(topic, batch);
    } catch {
      await sleep(100);
    }
  }
}
