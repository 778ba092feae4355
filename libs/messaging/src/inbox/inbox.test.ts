import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { isServiceError } from "@plumbline/errors";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { eventually, gate, group, message, messages, Received } from "../conformance/test-context.ts";
import { openMemoryBroker } from "../memory/broker.ts";
import { isPermanent } from "../middleware/permanent.ts";
import { retryAndDeadLetterTopics } from "../topics.ts";
import { deleteExpiredRecords, startInboxCleanup } from "./cleanup.ts";
import { handleOnce } from "./handle-once.ts";
import { inboxMigration } from "./migration.ts";

const engine = await testDatabase();
const database = await openDatabase({ url: engine.url, applicationName: "test" }, noTelemetry);
await migrate(database, [{ id: 1, ...inboxMigration }]);
await database.query("CREATE TABLE effects (id text)");
after(async () => {
  await database[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const effects = async (id: string): Promise<number> =>
  (await database.query("SELECT 1 FROM effects WHERE id = $1", [id])).length;

const once = (sent: { source: string; id: string }, name = "workers", before?: () => Promise<void>): Promise<boolean> =>
  handleOnce(database, name, sent, async (tx) => {
    await before?.();
    await tx.query("INSERT INTO effects VALUES ($1)", [sent.id]);
  });

test("a redelivered message has no second effect", async () => {
  const sent = message("a");
  assert.equal(await once(sent), true);
  assert.equal(await once(sent), false);
  assert.equal(await effects(sent.id), 1);
});

test("the same id of another group or from another source is another message", async () => {
  const sent = message("a");
  await once(sent, "workers");
  assert.equal(await once(sent, "billing"), true);
  assert.equal(await once({ ...sent, source: "/elsewhere" }), true);
  assert.equal(await effects(sent.id), 3);
});

test("a message that the database can never store is a permanent failure", async () => {
  for (const id of ["a\0b", Array.from({ length: 300 }, () => randomUUID()).join("")]) {
    await assert.rejects(once({ ...message("a"), id }), isPermanent);
  }
});

test("an effect that fails leaves no record, so the next delivery repeats it", async () => {
  const sent = message("a");
  await assert.rejects(once(sent, "workers", async () => Promise.reject(new Error("failed"))));
  assert.equal(await once(sent), true);
  assert.equal(await effects(sent.id), 1);
});

test("the second of two deliveries at once waits for the first and does nothing", async () => {
  const sent = message("a");
  const [started, finish] = [gate(), gate()];
  const first = once(sent, "workers", async () => {
    started.open();
    await finish.passed;
  });
  await started.passed;
  const second = once(sent);
  finish.open();
  assert.deepEqual(await Promise.all([first, second]), [true, false]);
  assert.equal(await effects(sent.id), 1);
});

test("the second of two deliveries at once makes the effect if the first rolls back", async () => {
  const sent = message("a");
  const [started, finish] = [gate(), gate()];
  const first = once(sent, "workers", async () => {
    started.open();
    await finish.passed;
    throw new Error("failed");
  });
  await started.passed;
  const second = once(sent);
  finish.open();
  await assert.rejects(first, /failed/);
  assert.equal(await second, true);
  assert.equal(await effects(sent.id), 1);
});

test("a message whose handler fails after its effect is redelivered without a second effect", async () => {
  await using broker = openMemoryBroker();
  await broker.createTopics(["events"], { partitions: 3 });
  const received = new Received();
  const sent = messages(30, 6);
  await broker.subscribe(
    "events",
    received.handler(async (delivery) => {
      await once(delivery.message, "redelivered");
      if (delivery.attempt < 3) throw new Error("died before the acknowledgement");
    }),
    group("redelivered"),
  );
  await broker.publish("events", [...sent, ...sent]); // The publisher also publishes everything twice.
  await eventually(() => received.ids.length === 60, "all deliveries");
  for (const { id } of sent) assert.equal(await effects(id), 1);
});

test("records older than the retention are deleted, and younger ones stay", async () => {
  const [old, fresh] = [message("a"), message("a")];
  await once(old);
  await database.query("UPDATE inbox SET handled_at = now() - interval '10 days'");
  await database.query(
    "INSERT INTO inbox SELECT 'many', 's', n::text, now() - interval '10 days' FROM generate_series(1, 2500) AS n",
  );
  await once(fresh);
  assert.ok((await deleteExpiredRecords(database, 9 * 24 * 3_600_000)) >= 2_501);
  assert.equal(await once(fresh), false);
  assert.equal((await database.query("SELECT 1 FROM inbox")).length, 1);
});

test("an inbox with a shorter retention than the broker's is rejected at the start", async () => {
  await using broker = openMemoryBroker();
  const hour = 3_600_000;
  await broker.createTopics(["kept", ...retryAndDeadLetterTopics("kept", "workers", [5_000])], {
    partitions: 1,
    retentionMs: hour,
  });
  const options = { group: "workers", topics: ["kept"], retryDelaysMs: [5_000] };
  // An hour each in the topic, the retry topic and the dead-letter topic.
  const short = async (): Promise<void> => {
    await using _ = await startInboxCleanup(database, broker, noTelemetry, { ...options, retentionMs: 3 * hour - 1 });
  };
  await assert.rejects(short, (error) => isServiceError(error) && error.reason === "INBOX_RETENTION_TOO_SHORT");
  await using _enough = await startInboxCleanup(database, broker, noTelemetry, { ...options, retentionMs: 3 * hour });
  await using _default = await startInboxCleanup(database, broker, noTelemetry, options);
});
