/** The service through its API: real gRPC in this process, over memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorSet, SparePartService } from "@plumbline/contracts";
import { connect, createClient, serve } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { createApp } from "../src/app.ts";
import { MemorySpareParts } from "../src/memory/spare-parts.ts";

async function open() {
  const stack = new AsyncDisposableStack();
  const app = createApp({ spareParts: new MemorySpareParts() });
  const parts = { services: [app.service], descriptors: descriptorSet, telemetry: noTelemetry };
  const server = stack.use(await serve(parts, { host: "127.0.0.1", port: 0 }));
  const channel = stack.use(await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 5_000 }));
  return {
    spareParts: createClient(SparePartService, channel),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("a created spare part can be read, and a repeat of the request returns the same", async () => {
  await using app = await open();
  const request = { sparePartId: "a", name: "one" };
  const created = await app.spareParts.createSparePart(request);
  assert.equal(created.sparePart?.name, "one");
  assert.deepEqual(await app.spareParts.createSparePart(request), created);
  assert.deepEqual(await app.spareParts.getSparePart({ sparePartId: "a" }), created);
});

for (const { name, request, code, fields } of [
  {
    name: "every wrong field is named",
    request: { sparePartId: "", name: "" },
    code: "invalid_argument",
    fields: ["spare_part_id", "name"],
  },
  {
    name: "another name for a stored id is refused",
    request: { sparePartId: "a", name: "two" },
    code: "already_exists",
    fields: [],
  },
]) {
  test(name, async () => {
    await using app = await open();
    await app.spareParts.createSparePart({ sparePartId: "a", name: "one" });
    await assert.rejects(app.spareParts.createSparePart(request), (error: Error & Record<string, unknown>) => {
      assert.equal(error["code"], code);
      const violations = error["violations"] as readonly { readonly field: string }[];
      assert.deepEqual(
        violations.map(({ field }) => field),
        fields,
      );
      return true;
    });
  });
}

test("an id that was not stored, or that cannot be one, is not found", async () => {
  await using app = await open();
  for (const sparePartId of ["b", "", "' or 1=1 --"]) {
    await assert.rejects(app.spareParts.getSparePart({ sparePartId }), { code: "not_found" });
  }
});
