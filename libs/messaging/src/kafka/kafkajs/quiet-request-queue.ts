// Imported, not required at run time: a bundle holds what is imported.
// @ts-expect-error -- kafkajs's types leave its inner classes out; `RequestQueue` below is what we use of this one.
import KafkaRequestQueue from "kafkajs/src/network/requestQueue/index.js";

/**
 * kafkajs 2.2.4 looks for throttled requests by a timer that it starts again each time it fires, throttled or not. Without
 * throttling its delay is negative, which Node takes for 1 ms (and, since 24, for a TimeoutNegativeWarning): each idle
 * connection wakes the process a thousand times a second (tulios/kafkajs#1556; the fix, PR #1667, is in no release).
 * Here the timer starts only for requests that wait.
 */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/** What kafkajs waits when too many requests are on their way; their answers look at the queue as well. */
const overloadedMs = 10;

function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
  const throttledMs = this.throttledUntil - Date.now();
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    throttledMs > 0 ? throttledMs : overloadedMs,
  );
}

/** Replaces the method in kafkajs's own class, which every connection of this process shares. Repeating it changes nothing. */
export function quietRequestQueue(): void {
  const { prototype } = KafkaRequestQueue as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests;
}
