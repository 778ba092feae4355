/** The password of the database changes while the service runs under load. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { OrderStatus } from "@plumbline/contracts";
import { openPostgresBroker } from "@plumbline/messaging";
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, openRotatingRoles, type Rotation, rotateAndLock, testDatabase } from "@plumbline/tools-engines";
import { newCustomer } from "./builders.ts";
import { runOrders, startOrders } from "./orders-process.ts";
import { answer } from "./service.ts";

const tea = [{ sku: "tea", quantity: 1 }];
const rotations = 5;
/** The bound on the time from a changed secret to the last use of the old one. */
const unusedMs = 10_000;
/** Nothing answers the orders of this file, and a fast machine places many. */
const noBounds = {
  ORDERS_PENDING_ORDERS_PER_CLIENT: "1000000",
  ORDERS_PENDING_COST_PER_CLIENT: "1000000",
  ORDERS_PENDING_ORDERS_IN_ALL: "1000000",
  ORDERS_PENDING_COST_IN_ALL: "1000000",
};

test("two roles in turns, rotated five times under load: no request fails, and the old role is not used", {
  timeout: 240_000,
}, async (t) => {
  await using roles = await openRotatingRoles("ORDERS");
  const { code, output } = await runOrders(roles.environment, ["migrate"]);
  assert.equal(code, 0, output);
  await using broker = await openPostgresBroker({ url: roles.messagingUrl }, noTelemetry);
  const published = new Map<string, Set<string>>();
  await using _subscription = await broker.subscribe(
    "orders.events",
    async ({ message }) => {
      published.set(message.key, (published.get(message.key) ?? new Set()).add(message.id));
    },
    { group: "test", concurrency: 1 },
  );
  await using orders = await startOrders({ ...roles.environment, ...noBounds });

  const placed: string[] = [];
  const failures: string[] = [];
  let answered = 0;
  const over = new AbortController();
  using _end = { [Symbol.dispose]: () => over.abort() };
  async function load(): Promise<void> {
    while (!over.signal.aborted) {
      const customerId = newCustomer();
      try {
        const { id } = await orders.client.placeOrder({ customerId, items: tea });
        placed.push(id);
        await orders.client.getOrder({ orderId: id });
        await orders.client.listOrders({ customerId, pageSize: 10, pageToken: "" });
        answered += 3;
      } catch (error) {
        failures.push(String(error));
        if (failures.length > 100) return;
      }
    }
  }
  const loads = Array.from({ length: 8 }, load);

  const figures: Rotation[] = [];
  for (let round = 0; round < rotations; round++) {
    const before = answered;
    await eventually(
      () => answered,
      (count) => count > before + 100,
      30_000,
    );
    figures.push(await rotateAndLock(roles, unusedMs));
    assert.deepEqual(failures, []);
  }
  const last = answered;
  await eventually(
    () => answered,
    (count) => count > last + 100,
    30_000,
  );
  over.abort();
  await Promise.all(loads);
  t.diagnostic(`${answered} answered, ${failures.length} failed; rotations: ${JSON.stringify(figures)}`);
  assert.deepEqual(failures, []);
  for (const figure of figures) assert.ok(figure.unusedMs <= unusedMs && figure.cut === 0, JSON.stringify(figure));

  // The client may have retried, so the server's own count decides.
  const metrics = await (await fetch(`http://127.0.0.1:${orders.opsPort}/metrics`)).text();
  const codes = [...metrics.matchAll(/^rpc_server_call_duration_seconds_count\{[^}]*code="(\w+)"/gm)].map(([, c]) => c);
  assert.deepEqual(new Set(codes), new Set(["ok"]));
  assert.match(metrics, new RegExp(`^db_client_credential_rotations_total\\{[^}]*\\} ${rotations}$`, "m"));

  // The relay, the subscription and the listeners work as the new role.
  await eventually(
    () => placed.filter((id) => published.get(id)?.size !== 1),
    (missing) => missing.length === 0,
    60_000,
  );
  const orderId = placed.at(-1) ?? "";
  await broker.publish("fulfilment.events", [answer(orderId, { minorUnits: 900n })]);
  const seen = await Array.fromAsync(orders.client.watchOrder({ orderId, afterVersion: 0n }));
  assert.equal(seen.at(-1)?.status, OrderStatus.ORDER_STATUS_FULFILLED);
  assert.match(orders.process.output(), /"message":"secrets changed".*"settings":\["database.url","messaging.url"\]/);
  assert.doesNotMatch(orders.process.output(), new RegExp(roles.current.password));
});

test("a password in a file of its own is followed", { timeout: 120_000 }, async () => {
  await using opened = new AsyncDisposableStack();
  const own = opened.use(await testDatabase());
  const messaging = opened.use(await testDatabase());
  const admin = opened.use(await openDatabase({ url: own.url, applicationName: "test" }, noTelemetry));
  const role = `apart_${randomBytes(4).toString("hex")}`;
  await admin.query(`CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD 'hunter1'`);
  opened.defer(async () => {
    await admin.query(`DROP OWNED BY ${role}`);
    await admin.query(`DROP ROLE ${role}`);
  });

  const folder = mkdtempSync(join(tmpdir(), "plumbline-password-"));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "password");
  writeFileSync(file, "hunter1\n");
  const environment = {
    ORDERS_DATABASE_URL: Object.assign(new URL(own.url), { username: role, password: "" }).href,
    ORDERS_DATABASE_PASSWORD_FILE: file,
    ORDERS_MESSAGING_URL: messaging.url,
  };
  const migrated = await runOrders(environment, ["migrate"]);
  assert.equal(migrated.code, 0, migrated.output);

  await using orders = await startOrders(environment);
  const place = () => orders.client.placeOrder({ customerId: newCustomer(), items: tea });
  await place();
  await admin.query(`ALTER ROLE ${role} PASSWORD 'hunter2'`);
  writeFileSync(file, "hunter2\n");
  await eventually(
    () => orders.process.output(),
    (lines) => lines.includes("database credentials changed"),
    30_000,
  );
  await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [role]);
  await eventually(
    () => place().catch(() => undefined),
    (order) => order !== undefined,
    30_000,
  );
  assert.match(orders.process.output(), /"message":"secrets changed".*"settings":\["database.password"\]/);
  assert.doesNotMatch(orders.process.output(), /hunter/);
});
