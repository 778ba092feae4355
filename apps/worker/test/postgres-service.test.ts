import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { withHeaders } from "@plumbline/messaging";
import { startTelemetry } from "@plumbline/telemetry";
import { newOrderId, placedMessage } from "./builders.ts";
import { postgresStore } from "./postgres-store.ts";
import { serviceSuite } from "./service.ts";
import { openWorld } from "./world.ts";

serviceSuite("postgres", postgresStore);

test("the trace of an order goes on to its suppliers and, through the outbox, into the answer", async () => {
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  await using telemetry = startTelemetry({ service: "test", destination });
  await using world = await openWorld(postgresStore, { telemetry });
  const orderId = newOrderId();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await world.publish(withHeaders(placedMessage(orderId), { traceparent: `00-${traceId}-b7ad6b7169203331-01` }));
  const answer = await world.answer(orderId);
  assert.equal(answer.headers["traceparent"]?.split("-")[1], traceId);
  assert.equal(world.quotes[0]?.traceparent?.split("-")[1], traceId);
});
