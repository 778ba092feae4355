/** The password of the database changes while the worker handles orders. */
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fulfilmentEvents, ordersEvents } from "@plumbline/contracts";
import { openPostgresBroker } from "@plumbline/messaging";
import { openDatabase } from "@plumbline/postgres";
import { startSupplier } from "@plumbline/supplier";
import { noTelemetry } from "@plumbline/telemetry";
import {
  eventually,
  openRotatingRoles,
  type Rotation,
  rotateAndLock,
  runService,
  startService,
} from "@plumbline/tools-engines";
import { newOrderId, placedMessage } from "./builders.ts";

const rotations = 5;
/** The bound on the time from a changed secret to the last use of the old one. */
const unusedMs = 10_000;

test("two roles in turns, rotated five times under load: no order is lost, doubled or moved to a retry topic", {
  timeout: 240_000,
}, async (t) => {
  await using roles = await openRotatingRoles("WORKER");
  await using supplier = await startSupplier({ port: 0, graceMs: 0, settings: { latencyMs: 5 } });
  const environment = {
    ...roles.environment,
    WORKER_SUPPLIERS_URL: supplier.url,
    WORKER_RPC_HOST: "127.0.0.1",
    WORKER_RPC_PORT: "0",
    WORKER_OPS_PORT: "0",
  };
  const migrated = await runService("worker", environment, ["migrate"]);
  assert.equal(migrated.code, 0, migrated.output);
  await using database = await openDatabase({ url: roles.databaseUrl, applicationName: "test" }, noTelemetry);
  await using broker = await openPostgresBroker({ url: roles.messagingUrl }, noTelemetry);
  /** The ids of the events of each order: a message may be sent twice, but has one id. */
  const answers = new Map<string, Set<string>>();
  await using _subscription = await broker.subscribe(
    fulfilmentEvents.topic,
    async ({ message }) => {
      answers.set(message.key, (answers.get(message.key) ?? new Set()).add(message.id));
    },
    { group: "test", concurrency: 1 },
  );
  await using worker = await startService("worker", environment);

  const placed: string[] = [];
  const over = new AbortController();
  using _end = { [Symbol.dispose]: () => over.abort() };
  const load = (async () => {
    while (!over.signal.aborted) {
      const id = newOrderId();
      await broker.publish(ordersEvents.topic, [placedMessage(id)]);
      placed.push(id);
      await sleep(10);
    }
  })();
  const handled = async (more: number): Promise<void> => {
    const before = answers.size;
    await eventually(
      () => answers.size,
      (count) => count > before + more,
      30_000,
    );
  };

  const figures: Rotation[] = [];
  for (let round = 0; round < rotations; round++) {
    await handled(30);
    figures.push(await rotateAndLock(roles, unusedMs));
  }
  await handled(30);
  over.abort();
  await load;
  await eventually(
    () => placed.filter((id) => !answers.has(id)).length,
    (missing) => missing === 0,
    60_000,
  );
  t.diagnostic(`${placed.length} orders; rotations: ${JSON.stringify(figures)}`);
  for (const figure of figures) assert.ok(figure.unusedMs <= unusedMs && figure.cut === 0, JSON.stringify(figure));
  assert.deepEqual(
    placed.filter((id) => answers.get(id)?.size !== 1),
    [],
    "each order has one answer",
  );
  const [row] = await database.query<{ n: number }>(
    "select count(*)::int as n from fulfilments where order_id = any($1::uuid[])",
    [placed],
  );
  assert.equal(row?.n, placed.length);
  const metrics = await (await fetch(`http://127.0.0.1:${worker.opsPort}/metrics`)).text();
  const moved = [...metrics.matchAll(/^message_process_duration_seconds_count\{[^}]*\}/gm)].map(([line]) => line);
  assert.deepEqual(
    moved.filter((line) => /retry|dlq|dead/.test(line)),
    [],
    "no order took a detour",
  );
  assert.match(worker.process.output(), /"message":"secrets changed".*"settings":\["database.url","messaging.url"\]/);
  assert.doesNotMatch(worker.process.output(), new RegExp(roles.current.password));
});
