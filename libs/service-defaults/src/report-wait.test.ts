import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { openBroker } from "./data/open-broker.ts";
import { reportWait } from "./report-wait.ts";

test("a long wait is logged with what it is for, again and again, until it is over", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const lines: unknown[][] = [];
  const logger = { warn: (message: string, fields?: object) => void lines.push([message, fields]) };
  {
    using _waiting = reportWait("Kafka at a:1", logger);
    t.mock.timers.tick(2_999);
    assert.equal(lines.length, 0);
    t.mock.timers.tick(3_001);
  }
  t.mock.timers.tick(60_000);
  assert.equal(lines.length, 2);
  const [[message, fields] = []] = lines;
  assert.equal(message, "the start waits");
  assert.equal((fields as { for: string }).for, "Kafka at a:1");
});

test("a Kafka that does not answer is named while it is waited for, and in the error", {
  timeout: 90_000,
}, async () => {
  const waits: unknown[] = [];
  const warn = (message: string, fields: object = {}) => {
    if (message === "the start waits") waits.push((fields as { for: unknown }).for);
  };
  const settings = { messaging: { adapter: "kafka" }, kafka: { brokers: ["127.0.0.1:1"] } } as const;
  const telemetry = { ...noTelemetry, logger: { ...noTelemetry.logger, warn } };
  await assert.rejects(openBroker("test", settings, telemetry), {
    code: "unavailable",
    message: "Kafka did not answer at 127.0.0.1:1",
  });
  for (const wait of waits) assert.equal(wait, "Kafka at 127.0.0.1:1");
});
