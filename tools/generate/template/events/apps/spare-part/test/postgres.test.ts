import assert from "node:assert/strict";
import { test } from "node:test";
import { sparePartsEvents } from "@plumbline/contracts";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { migrations } from "../src/postgres/migrations.ts";
import { PostgresSpareParts } from "../src/postgres/spare-parts.ts";
import { sparePartsContract } from "./spare-parts.ts";

async function open() {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await testDatabase());
  const database = stack.use(await openDatabase({ url, applicationName: "spare-part" }, noTelemetry));
  await migrate(database, migrations);
  const owned = stack.move();
  const spareParts = new PostgresSpareParts(database, noTelemetry.tracer);
  return Object.assign(spareParts, { database, [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

sparePartsContract("postgres", open);

test("a spare part and its event are stored together, and a repeat stores no second event", async () => {
  await using spareParts = await open();
  const sparePart = { id: "a", name: "one", createTime: new Date() };
  await spareParts.add(sparePart);
  await spareParts.add(sparePart);
  const rows = await spareParts.database.query("select topic, type, key from outbox");
  assert.deepEqual(rows, [{ topic: sparePartsEvents.topic, type: "spare_part.v1.SparePartCreated", key: "a" }]);
});
