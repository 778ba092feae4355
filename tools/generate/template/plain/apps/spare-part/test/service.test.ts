/** The service through its API: real gRPC in this process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorSet, SparePartService } from "@plumbline/contracts";
import { connect, createClient, serve } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { sparePartService } from "../src/spare-part-service.ts";

async function open() {
  const stack = new AsyncDisposableStack();
  const parts = { services: [sparePartService], descriptors: descriptorSet, telemetry: noTelemetry };
  const server = stack.use(await serve(parts, { host: "127.0.0.1", port: 0 }));
  const channel = stack.use(await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 }));
  return {
    spareParts: createClient(SparePartService, channel),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("GetSparePart describes a spare part", async () => {
  await using app = await open();
  const { sparePart } = await app.spareParts.getSparePart({ sparePartId: "7" });
  assert.deepEqual(sparePart, { id: "7", name: "spare part 7" });
});

test("GetSparePart names the field of a request that is wrong", async () => {
  await using app = await open();
  await assert.rejects(app.spareParts.getSparePart({ sparePartId: "" }), {
    code: "invalid_argument",
    violations: [{ field: "spare_part_id", description: 'must be 1 to 64 of a-z, 0-9 and "-"' }],
  });
});
