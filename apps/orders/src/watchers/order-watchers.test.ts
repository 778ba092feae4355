import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry, type SpanOptions, type Tracer } from "@plumbline/telemetry";
import { OrderWatchers } from "./order-watchers.ts";

/** A tracer that notes the spans it was asked for, with `stream` as the active one. */
function noting() {
  const spans: { readonly name: string; readonly options: SpanOptions }[] = [];
  let stream = "";
  const tracer: Tracer = {
    ...noTelemetry.tracer,
    span(name, options, work) {
      spans.push({ name, options });
      return noTelemetry.tracer.span(name, options, work);
    },
    carrier: () => ({ traceparent: stream }),
  };
  return { spans, tracer, within: (active: string) => void (stream = active) };
}

test("a change that has watchers is one span in its trace, with a link to each stream", async () => {
  const { spans, tracer, within } = noting();
  const watchers = new OrderWatchers(10, { ...noTelemetry, tracer });
  within("first");
  using first = watchers.watch("a");
  within("second");
  using second = watchers.watch("a");
  using _other = watchers.watch("b");
  watchers.announce("a", 2n, "change");
  await Promise.all([first.newerThan(1n), second.newerThan(1n)]);
  assert.deepEqual(spans, [
    {
      name: "tell watchers",
      options: {
        parent: { traceparent: "change" },
        links: [{ traceparent: "first" }, { traceparent: "second" }],
        attributes: { "order.version": 2, "orders.watchers": 2 },
      },
    },
  ]);
});

test("a change without watchers, and one without a trace, have no span", async () => {
  const { spans, tracer } = noting();
  const watchers = new OrderWatchers(10, { ...noTelemetry, tracer });
  watchers.announce("a", 2n, "change");
  using watch = watchers.watch("a");
  watchers.announce("a", 3n);
  await watch.newerThan(2n);
  assert.deepEqual(spans, []);
});
