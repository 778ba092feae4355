import assert from "node:assert/strict";
import test from "node:test";
import { noTelemetry } from "./no-telemetry.ts";

test("noTelemetry runs the work of a span and discards the rest", async () => {
  const answer = await noTelemetry.tracer.span("work", {}, async (span) => {
    span.setAttribute("key", 1);
    assert.deepEqual(noTelemetry.tracer.carrier(), {});
    return 42;
  });
  assert.equal(answer, 42);
  noTelemetry.logger.child({}).error("nothing is written", new Error("anything"));
  noTelemetry.metrics.counter("some_total", "help", ["code"]).inc({ code: 1 });
  assert.equal((await noTelemetry.metrics.text()).body, "");
});
