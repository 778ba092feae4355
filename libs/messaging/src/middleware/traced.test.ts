import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { startTelemetry, type Telemetry } from "@plumbline/telemetry";
import type { Handler } from "../broker.ts";
import { message } from "../conformance/world.ts";
import { traced } from "./traced.ts";

const quiet = (): Telemetry =>
  startTelemetry({ service: "test", destination: new Writable({ write: (_chunk, _encoding, done) => done() }) });

const deliver = (telemetry: Telemetry, handler: Handler, headers: Record<string, string> = {}): Promise<void> =>
  traced(telemetry)(handler)({
    topic: "orders.events",
    group: "worker",
    message: { ...message("a"), headers },
    attempt: 1,
    signal: new AbortController().signal,
  });

test("the handler runs in the trace that the message's headers name", async () => {
  await using telemetry = quiet();
  let trace: string | undefined;
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await deliver(telemetry, async () => void (trace = telemetry.tracer.current()?.traceId), {
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  });
  assert.equal(trace, traceId);
});

test("each delivery is timed by topic, group and outcome, and a failure stays a failure", async () => {
  await using telemetry = quiet();
  await deliver(telemetry, async () => undefined);
  await assert.rejects(
    deliver(telemetry, async () => Promise.reject(new Error("failed"))),
    /failed/,
  );
  const { body } = await telemetry.metrics.text();
  for (const outcome of ["ok", "error"]) {
    const line = body
      .split("\n")
      .find((l) => l.startsWith("message_process_duration_seconds_count") && l.includes(`outcome="${outcome}"`));
    assert.match(line ?? "", /topic="orders.events".* 1$/);
    assert.match(line ?? "", /group="worker"/);
  }
});
