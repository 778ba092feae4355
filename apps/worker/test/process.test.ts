/** The worker as a process: killed, stopped, and run from its bundle. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FulfilmentService, ordersEvents } from "@plumbline/contracts";
import { connect, createClient } from "@plumbline/rpc";
import { type QuoteEvent, startSupplier } from "@plumbline/supplier";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, runService, startService, testDatabase } from "@plumbline/tools-engines";
import { newOrderId, placedMessage } from "./builders.ts";
import { readBarcode } from "./read-barcode.ts";
import { openSurroundings, type Surroundings } from "./surroundings.ts";

async function supplierWithQuotes(latencyMs = 0) {
  const quotes: QuoteEvent[] = [];
  const onQuote = (event: QuoteEvent) => void quotes.push(event);
  const supplier = await startSupplier({ port: 0, graceMs: 0, settings: { latencyMs }, onQuote });
  return {
    supplier,
    asked: () => quotes.filter(({ step }) => step === "asked").length,
    [Symbol.asyncDispose]: () => supplier[Symbol.asyncDispose](),
  };
}

async function labelOf(port: number, orderId: string): Promise<Uint8Array> {
  await using channel = await connect(`ipv4:127.0.0.1:${port}`, noTelemetry);
  const client = createClient(FulfilmentService, channel, { timeoutMs: 10_000 });
  return (await client.getLabel({ orderId })).data;
}

describe("from source", () => {
  let around: Surroundings;
  before(async () => {
    around = await openSurroundings();
  });
  after(() => around?.[Symbol.asyncDispose]());

  const place = async (count: number): Promise<string[]> => {
    const ids = Array.from({ length: count }, newOrderId);
    await around.broker.publish(
      ordersEvents.topic,
      ids.map((id) => placedMessage(id)),
    );
    return ids;
  };
  const rowsOf = (ids: readonly string[]) =>
    around.database.query<{ order_id: string; status: string }>(
      "select order_id, status from fulfilments where order_id = any($1::uuid[])",
      [ids],
    );
  /** Counts ids: a message may be sent twice, but two messages would be two effects. */
  const effectsOf = (id: string) => new Set(around.answersOf(id).map((message) => message.id)).size;
  const allAnswered = (ids: readonly string[]) =>
    eventually(
      () => ids.filter((id) => around.answersOf(id).length === 0),
      (missing) => missing.length === 0,
      60_000,
    );

  test("a worker killed while its suppliers answer has one effect after a restart", async () => {
    await using suppliers = await supplierWithQuotes(60_000);
    const environment = { ...around.environment, WORKER_SUPPLIERS_URL: suppliers.supplier.url };
    const killed = await startService("worker", { ...environment, WORKER_SUPPLIERS_TIMEOUT_MS: "60000" });
    const ids = await place(3);
    await eventually(suppliers.asked, (count) => count === 3);
    assert.deepEqual(await killed.process.end("SIGKILL"), [null, "SIGKILL"]);
    assert.deepEqual(await rowsOf(ids), []);

    suppliers.supplier.change({ latencyMs: 0 });
    await using _restarted = await startService("worker", environment);
    await allAnswered(ids);
    assert.deepEqual(ids.map(effectsOf), [1, 1, 1]);
    assert.equal((await rowsOf(ids)).length, 3);
  });

  test("a worker killed once some orders are settled has one effect for each after a restart", async () => {
    await using suppliers = await supplierWithQuotes(50);
    const environment = { ...around.environment, WORKER_SUPPLIERS_URL: suppliers.supplier.url };
    const killed = await startService("worker", { ...environment, WORKER_CONCURRENCY: "4" });
    const ids = await place(60);
    // The kill falls between commits, acknowledgements and the relay of some orders.
    await eventually(
      () => rowsOf(ids),
      (rows) => rows.length >= 5,
    );
    await killed.process.end("SIGKILL");
    const settled = (await rowsOf(ids)).length;
    assert.ok(settled < 60, `${settled} of 60 were settled before the kill`);

    await using _restarted = await startService("worker", environment);
    await allAnswered(ids);
    assert.ok(ids.every((id) => effectsOf(id) === 1));
    assert.equal((await rowsOf(ids)).length, 60);
  });

  test("after SIGTERM it finishes orders in flight, takes no others, and exits with 0", async () => {
    await using suppliers = await supplierWithQuotes(1_500);
    const environment = {
      ...around.environment,
      WORKER_SUPPLIERS_URL: suppliers.supplier.url,
      WORKER_CONCURRENCY: "2",
    };
    const worker = await startService("worker", environment);
    const ids = await place(6);
    await eventually(suppliers.asked, (count) => count === 2);
    const began = performance.now();
    assert.deepEqual(await worker.process.end("SIGTERM"), [0, null], worker.process.output());
    assert.ok(performance.now() - began < 10_000);
    assert.equal((await rowsOf(ids)).length, 2);
    assert.equal(suppliers.asked(), 2, "nothing was asked after the signal");

    suppliers.supplier.change({ latencyMs: 0 });
    await using _restarted = await startService("worker", environment);
    await allAnswered(ids);
    assert.equal(suppliers.asked(), 6, "what had finished was acknowledged");
    assert.ok(ids.every((id) => effectsOf(id) === 1));
  });

  test("an order that exceeds the grace period is left for the next worker, and the process ends in time", async () => {
    await using suppliers = await supplierWithQuotes(60_000);
    const environment = {
      ...around.environment,
      WORKER_SUPPLIERS_URL: suppliers.supplier.url,
      WORKER_SUPPLIERS_TIMEOUT_MS: "60000",
      WORKER_GRACE_MS: "5000",
    };
    const worker = await startService("worker", environment);
    const [id] = (await place(1)) as [string];
    await eventually(suppliers.asked, (count) => count === 1);
    assert.deepEqual(await worker.process.end("SIGTERM"), [0, null], worker.process.output());
    assert.deepEqual(await rowsOf([id]), []);
    suppliers.supplier.change({ latencyMs: 0 });
    await using _restarted = await startService("worker", environment);
    await allAnswered([id]);
    assert.equal(effectsOf(id), 1);
  });

  test("it serves readiness, liveness and metrics", async () => {
    await using suppliers = await supplierWithQuotes();
    await using worker = await startService("worker", {
      ...around.environment,
      WORKER_SUPPLIERS_URL: suppliers.supplier.url,
    });
    const ids = await place(1);
    await allAnswered(ids);
    const ops = (path: string) => fetch(`http://127.0.0.1:${worker.opsPort}${path}`);
    assert.deepEqual([(await ops("/readyz")).status, (await ops("/healthz")).status], [200, 200]);
    const metrics = await (await ops("/metrics")).text();
    assert.match(metrics, /suppliers_ask_duration_seconds_count\{[^}]*outcome="ok"[^}]*\} 1/);
    assert.match(metrics, /message_process_duration_seconds_count\{[^}]*topic="orders\.events"[^}]*\} 1/);
  });

  test("a second migration changes nothing and exits with 0", async () => {
    const { code, output } = await runService("worker", around.environment, ["migrate"]);
    assert.equal(code, 0, output);
  });
});

test("a worker whose database is not migrated says so and exits with 1", async () => {
  await using own = await testDatabase();
  const environment = { WORKER_DATABASE_URL: own.url, WORKER_MESSAGING_URL: own.url };
  const { code, output } = await runService("worker", environment);
  assert.equal(code, 1);
  assert.match(output, /lacks migration 1 \(fulfilments\).*run this program once with the argument "migrate"/);
});

test("with wrong settings it names all of them and exits with 1", async () => {
  const environment = {
    WORKER_CONCURRENCY: "none",
    WORKER_SUPPLIERS_URL: "ftp://suppliers",
    WORKER_SUPLIERS_TIMEOUT_MS: "2",
  };
  const { code, output } = await runService("worker", environment);
  assert.equal(code, 1);
  for (const name of [
    "WORKER_DATABASE_URL",
    "WORKER_CONCURRENCY",
    "WORKER_SUPPLIERS_URL",
    "WORKER_SUPLIERS_TIMEOUT_MS",
  ]) {
    assert.match(output, new RegExp(name));
  }
});

test("the bundle alone fulfils an order and draws its label", async () => {
  const folder = await mkdtemp(join(tmpdir(), "worker-bundle-"));
  try {
    // The build writes to its working folder, so a link keeps it out of this one.
    await symlink(fileURLToPath(new URL("../src", import.meta.url)), join(folder, "src"));
    const build = fileURLToPath(new URL("../../../tools/build/app.ts", import.meta.url));
    await promisify(execFile)(process.execPath, [build], { cwd: folder });
    await rm(join(folder, "src"));
    const bundle = { main: join(folder, "dist", "main.js"), cwd: folder };

    await using around = await openSurroundings(bundle);
    await using suppliers = await supplierWithQuotes();
    const environment = { ...around.environment, WORKER_SUPPLIERS_URL: suppliers.supplier.url };
    await using worker = await startService("worker", environment, bundle);
    const orderId = newOrderId();
    await around.broker.publish(ordersEvents.topic, [placedMessage(orderId)]);
    await eventually(
      () => around.answersOf(orderId).length,
      (count) => count === 1,
    );
    assert.equal(readBarcode(await labelOf(worker.port, orderId), 160), orderId);
    assert.deepEqual(await worker.process.end("SIGTERM"), [0, null], worker.process.output());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
