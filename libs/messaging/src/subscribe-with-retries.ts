import type { Telemetry } from "@plumbline/telemetry";
import { type Broker, compose, type Handler, type SubscribeOptions } from "./broker.ts";
import { deadLettered } from "./middleware/dead-lettered.ts";
import { logged } from "./middleware/logged.ts";
import { type InPlaceRetries, retried } from "./middleware/retried.ts";
import { notBeforeDue, retriedLater } from "./middleware/retried-later.ts";
import { traced } from "./middleware/traced.ts";
import { retryTopic } from "./topics.ts";

export interface RetryingOptions extends SubscribeOptions {
  /** In place, while the key waits: for what passes in seconds. */
  readonly retries: InPlaceRetries;
  /** Then through a retry topic each; past them order per key is given up. Such as 5 s, 1 min, 10 min; none by default. */
  readonly retryDelaysMs?: readonly number[] | undefined;
}

/**
 * Subscribes with the whole onion: traced, tried again in place, then later, then dead-lettered. The topics it writes to
 * (`retryAndDeadLetterTopics`) must exist: where one does not, nothing is acknowledged and nothing lost, but the key stands still.
 * Delivery to a retry topic's messages is at least once too, so the handler keeps an inbox as ever.
 */
export async function subscribeWithRetries(
  broker: Broker,
  topic: string,
  handler: Handler,
  telemetry: Telemetry,
  options: RetryingOptions,
): Promise<AsyncDisposable> {
  const { retries, retryDelaysMs = [], ...subscribeOptions } = options;
  const handle = compose(
    [
      traced(telemetry),
      logged(telemetry.logger),
      deadLettered(broker, telemetry),
      retriedLater(broker, telemetry, retryDelaysMs),
      retried(retries),
    ],
    handler,
  );
  await using opened = new AsyncDisposableStack();
  opened.use(await broker.subscribe(topic, handle, subscribeOptions));
  for (const delayMs of retryDelaysMs) {
    const later = retryTopic(topic, options.group, delayMs);
    opened.use(await broker.subscribe(later, notBeforeDue(handle), subscribeOptions));
  }
  return opened.move();
}
