import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import type { Database } from "@plumbline/postgres";
import { startTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { followPending } from "./pending-counts.ts";

test("the count of all unanswered orders is reported, and stays while the database does not answer", async () => {
  const lines: string[] = [];
  const destination = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) });
  await using telemetry = startTelemetry({ service: "test", destination });
  let counts: readonly object[] | undefined = [{ orders: 7, cost: 30, oldest: 1_900 }];
  const query = async () => counts ?? Promise.reject(new Error("connection refused"));
  const read = async () => (await telemetry.metrics.text()).body.match(/^orders_pending\w* .*$/gm) ?? [];
  {
    await using pending = followPending({ query } as unknown as Pick<Database, "query">, telemetry);
    assert.deepEqual(pending.current(), { orders: 0, cost: 0 });
    await eventually(pending.current, ({ orders }) => orders === 7);
    assert.deepEqual(await read(), [
      "orders_pending 7",
      "orders_pending_items 30",
      "orders_pending_oldest_seconds 1900",
    ]);
    counts = undefined;
    await eventually(
      () => lines,
      () => lines.some((line) => line.includes("unanswered orders not counted")),
    );
    assert.deepEqual(pending.current(), { orders: 7, cost: 30 });
  }
  assert.deepEqual(await read(), []);
});
