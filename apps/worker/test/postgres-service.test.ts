import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { withHeaders } from "@plumbline/messaging";
import { startTelemetry } from "@plumbline/telemetry";
import { newOrderId, placedMessage } from "./builders.ts";
import { postgresStore } from "./postgres-store.ts";
import { serviceSuite } from "./service.ts";
import { openTestContext } from "./test-context.ts";

serviceSuite("postgres", postgresStore);

test("the trace of an order goes on to its suppliers and, through the outbox, into the answer", async () => {
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  await using telemetry = startTelemetry({ service: "test", destination });
  await using context = await openTestContext(postgresStore, { telemetry });
  const orderId = newOrderId();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await context.publish(withHeaders(placedMessage(orderId), { traceparent: `00-${traceId}-b7ad6b7169203331-01` }));
  const answer = await context.answer(orderId);
  assert.equal(answer.headers["traceparent"]?.split("-")[1], traceId);
  assert.equal(context.quotes[0]?.traceparent?.split("-")[1], traceId);
});
