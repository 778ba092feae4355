import type { Telemetry } from "@plumbline/telemetry";
import { type Backlog, heldByFailures } from "./backlog.ts";

/**
 * Reports the load of one member and the lag of its group, read at each scrape. `lag` returns the
 * number of messages of the topic that the group has not handled. It covers all members, so each
 * member reports the same value. Disposing removes the gauges.
 */
export function consumerGauges(
  { metrics }: Pick<Telemetry, "metrics">,
  consumer: { readonly topic: string; readonly group: string },
  backlog: Backlog,
  lag: () => Promise<number>,
): Disposable {
  const { topic, group } = consumer;
  const { slots, permits, concurrency, capacity } = backlog;
  const gauges = new DisposableStack();
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    gauges.use(metrics.gauge(name, help, ["topic", "group"]).observe(read, { topic, group }));
  };
  gauge("message_handlers_running", "Messages being handled by this member.", () => concurrency - slots.available);
  gauge("message_handlers_limit", "Messages this member may handle at once.", () => concurrency);
  gauge(
    "message_held",
    "Messages this member holds, in its lanes or being handled.",
    () => capacity - permits.available,
  );
  gauge("message_shares", "Clients whose messages are handled or wait for a place.", () => slots.shares);
  gauge("message_held_bytes", "Bytes of the messages that this member holds.", () => backlog.bytes);
  gauge("message_held_limit", "Messages this member may hold.", () => capacity);
  gauge("message_held_by_failures", "Messages held that failed and wait for another attempt, or behind one.", () =>
    heldByFailures(backlog),
  );
  gauge("message_consumer_lag", "Messages of the topic that the group has not handled yet.", lag);
  return gauges;
}
