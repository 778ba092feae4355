import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { AuditLog, type Decision } from "./audit-log.ts";

const decision: Decision = {
  outcome: "refused",
  reason: "TOKEN_INVALID",
  subject: undefined,
  client: undefined,
  address: "192.0.2.1",
  addressKey: "192.0.2.1",
  method: "GET",
  route: "/v1/orders/{order_id}",
  object: "/v1/orders/7",
  requestId: "r-1",
};

type Line = Readonly<Record<string, unknown>>;

/** Opens an audit log whose reader takes lines while `hasRoom`. */
function open() {
  const lines: Line[] = [];
  const counts: Record<string, number> = {};
  const reader = { hasRoom: true };
  const metrics = {
    ...noTelemetry.metrics,
    counter: (name: string) => ({ inc: () => void (counts[name] = (counts[name] ?? 0) + 1) }),
  };
  const audit = (fields: Line): boolean => reader.hasRoom && lines.push(fields) > 0;
  return { log: new AuditLog({ audit, metrics }), lines, counts, reader };
}

const totalOf = (lines: readonly Line[]): number => lines.reduce((sum, { count }) => sum + Number(count), 0);

test("a decision is a line at once, and those like it are one line when the window ends", () => {
  const { log, lines } = open();
  for (let sent = 0; sent < 500; sent++) log.record({ ...decision, object: `/v1/orders/${sent}` });
  const { addressKey: _, ...fields } = decision;
  assert.deepEqual(lines, [{ ...fields, object: "/v1/orders/0", count: 1 }]);
  log.endWindow();
  assert.deepEqual(
    lines.map(({ count }) => count),
    [1, 499],
  );
  log.endWindow();
  assert.equal(lines.length, 2);
});

test("each other reason, caller, address and route is a decision of its own, and an operator's each object", () => {
  const { log, lines } = open();
  const others: readonly Partial<Decision>[] = [
    {},
    { reason: "TOKEN_EXPIRED" },
    { subject: "ada" },
    { client: "cli" },
    { addressKey: "192.0.2.2" },
    { method: "POST" },
    { route: "/v1/orders" },
    { outcome: "operated" },
    { outcome: "operated", object: "/v1/orders/8" },
  ];
  for (const other of others) log.record({ ...decision, ...other });
  assert.equal(lines.length, others.length);
});

test("a flood from ever new addresses writes bounded lines, and loses no count", () => {
  const { log, lines, counts } = open();
  for (let sent = 0; sent < 100_000; sent++) log.record({ ...decision, address: `a${sent}`, addressKey: `a${sent}` });
  // Another decision in the middle of the flood.
  log.record({ ...decision, outcome: "operated", reason: "OPERATOR", subject: "eve" });
  log.endWindow();
  assert.ok(lines.length <= 2_000, `${lines.length} lines`);
  assert.equal(totalOf(lines), 100_001);
  assert.equal(totalOf(lines.filter(({ outcome }) => outcome === "operated")), 1);
  const shared = lines.filter(({ address, outcome }) => address === undefined && outcome === "refused");
  assert.equal(totalOf(shared), 99_000);
  assert.deepEqual(counts, { audit_events_total: 100_001 });
});

test("a decision waits while its reader has no room, and is written when the window ends", () => {
  const { log, lines, counts, reader } = open();
  reader.hasRoom = false;
  for (let sent = 0; sent < 3; sent++) log.record(decision);
  log.endWindow();
  assert.deepEqual(lines, []);
  reader.hasRoom = true;
  log.endWindow();
  assert.deepEqual([lines.length, totalOf(lines), counts["audit_dropped_total"]], [1, 3, undefined]);
});
