import assert from "node:assert/strict";
import test from "node:test";
import { type CrashReport, runCrash, table } from "@plumbline/chaos";
import { whyNoKafka } from "@plumbline/tools-engines";
import { root } from "../src/stack.ts";

function check(report: CrashReport, rounds: number): void {
  assert.ok(report.ok, table(report));
  assert.equal(
    report.rows.reduce((sum, row) => sum + row.kills, 0),
    rounds,
  );
}

test("services killed 24 times around commits and sends, on Postgres: no order is lost, made up or doubled", async () => {
  check(await runCrash({ root, rounds: 24, adapter: "postgres" }), 24);
});

test("services killed 16 times around commits and sends, on Kafka: no order is lost, made up or doubled", {
  skip: whyNoKafka() ?? false,
}, async () => {
  check(await runCrash({ root, rounds: 16, adapter: "kafka" }), 16);
});
