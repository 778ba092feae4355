import type { Telemetry } from "@plumbline/telemetry";
import { type Broker, compose, type Handler, type SubscribeOptions } from "./broker.ts";
import { refuseUnreadable } from "./kafka/batches/unreadable.ts";
import { deadLettered } from "./middleware/dead-lettered.ts";
import { logged } from "./middleware/logged.ts";
import { withoutForgedHeaders } from "./middleware/own-headers.ts";
import { type InPlaceRetries, retried } from "./middleware/retried.ts";
import { notBeforeDue, retriedLater } from "./middleware/retried-later.ts";
import { traced } from "./middleware/traced.ts";
import { retryTopic } from "./topics.ts";

/** The options of a subscription with retries. */
export interface RetryingOptions extends SubscribeOptions {
  /** Retries in place while the key waits, for failures that last seconds. */
  readonly retries: InPlaceRetries;
  /**
   * Delays of the retry topics, such as 5 s, 1 min, 10 min. A message uses them one after another
   * once its retries in place have failed, and order per key ends there. Default: none.
   */
  readonly retryDelaysMs?: readonly number[] | undefined;
}

/**
 * Subscribes with all layers: traces, retries in place, retries later, and dead-letters what still
 * fails.
 *
 * The topics of `retryAndDeadLetterTopics` must exist. If one is missing, no message is
 * acknowledged or lost, but its key does not advance. The messages of a retry topic are delivered
 * at least once too, so the handler needs an inbox there as well.
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
      withoutForgedHeaders,
      traced(telemetry),
      logged(telemetry.logger),
      deadLettered(broker, telemetry),
      retriedLater(broker, telemetry, retryDelaysMs),
      retried(retries),
      refuseUnreadable,
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
