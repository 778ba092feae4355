// A static import, because a bundle contains only what is imported.
// @ts-expect-error -- kafkajs's types omit its inner classes; `RequestQueue` declares what is used.
import KafkaRequestQueue from "kafkajs/src/network/requestQueue/index.js";

/**
 * The part of kafkajs's request queue that is replaced.
 *
 * kafkajs 2.2.4 looks for throttled requests with a timer that it restarts each time it fires,
 * throttled or not. Without throttling the delay is negative, which Node turns into 1 ms (and,
 * since 24, into a TimeoutNegativeWarning). Each idle connection wakes the process a thousand times
 * a second (tulios/kafkajs#1556; the fix, PR #1667, is in no release). Here the timer runs only
 * while requests wait.
 */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/**
 * The time that kafkajs waits when too many requests are in flight. Their responses check the queue
 * too.
 */
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

/**
 * Replaces the method in kafkajs's own class, which every connection of this process shares. A
 * second call changes nothing.
 */
export function quietRequestQueue(): void {
  const { prototype } = KafkaRequestQueue as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests;
}
