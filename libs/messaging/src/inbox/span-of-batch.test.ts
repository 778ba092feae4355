import assert from "node:assert/strict";
import { test } from "node:test";
import { recording } from "../../test/recording.ts";
import { spanOfBatch } from "./span-of-batch.ts";

const contextOf = (trace: string, span = trace) => ({ traceparent: `00-${trace.repeat(32)}-${span.repeat(16)}-01` });

test("the work for one message is part of its trace, and that for several of their trace or of its own", async () => {
  const telemetry = recording();
  const { tracer } = telemetry;
  const work = () => tracer.span("work", {}, async () => tracer.current()?.traceId);
  await tracer.span("process", { parent: contextOf("a") }, async () => {
    assert.equal(await spanOfBatch(tracer, "batch", [contextOf("a")], work), "a".repeat(32));
    const traceId = await spanOfBatch(tracer, "batch", [contextOf("a"), contextOf("b")], work);
    assert.match(traceId ?? "", /^(?!a{32}|b{32})[0-9a-f]{32}$/);
    assert.equal(await spanOfBatch(tracer, "shared", [contextOf("c"), contextOf("c", "d")], work), "c".repeat(32));
  });
  await telemetry[Symbol.asyncDispose]();
  const batches = telemetry.spans.filter(({ name }) => name === "batch");
  assert.deepEqual(
    batches.map(({ parent, links }) => ({ parent, links: links.map(({ traceId }) => traceId) })),
    [{ parent: undefined, links: ["a".repeat(32), "b".repeat(32)] }],
  );
});
