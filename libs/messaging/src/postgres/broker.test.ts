import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { codeOf } from "@plumbline/errors";
import { openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import type { Broker } from "../broker.ts";
import { eventually, gate, group, message, messages, Received, unique } from "../conformance/test-context.ts";
import { openPostgresBroker } from "./broker.ts";
import { deleteExpiredMessages } from "./retention.ts";

const engine = await testDatabase();
const database = await openDatabase({ url: engine.url, applicationName: "test" }, noTelemetry);
after(async () => {
  await database[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const open = (): Promise<Broker> => openPostgresBroker({ url: engine.url }, noTelemetry);

async function openTopic(partitions: number, retentionMs?: number): Promise<{ broker: Broker; topic: string }> {
  const broker = await open();
  const topic = unique("topic");
  await broker.createTopics([topic], { partitions, retentionMs });
  return { broker, topic };
}

/** Returns the number of partitions that each member of the group holds. */
async function holdings(topic: string, name: string): Promise<number[]> {
  const rows = await database.query<{ held: number }>(
    `SELECT (count(*) FILTER (WHERE objid::int > 0))::int AS held FROM pg_locks
     WHERE locktype = 'advisory' AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid::int = (SELECT id FROM consumer_groups WHERE topic = $1 AND name = $2) GROUP BY pid ORDER BY 1`,
    [topic, name],
  );
  return rows.map(({ held }) => held);
}

async function untilHoldings(topic: string, name: string, wanted: readonly number[]): Promise<void> {
  let held: number[] = [];
  const stop = AbortSignal.timeout(20_000);
  while (held.join() !== wanted.join()) {
    assert.ok(!stop.aborted, `holdings are ${held.join()}, not ${wanted.join()}`);
    held = await holdings(topic, name);
  }
}

/** Ends the sessions of all members of the topic's groups, like a failing network. */
async function cutSessions(topic: string): Promise<void> {
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid::int IN (SELECT id FROM consumer_groups WHERE topic = $1)`,
    [topic],
  );
}

test("with many publishers at once, offsets have no gaps and a reader sees them in order", async () => {
  const { broker, topic } = await openTopic(3);
  await using _ = broker;
  await using second = await open();
  const published = new AbortController();
  const violations: string[] = [];
  const watching = (async () => {
    while (!published.signal.aborted) {
      const rows = await database.query<{ partition: number; gaps: bigint }>(
        `SELECT partition, max("offset") + 1 - count(*) AS gaps FROM messages WHERE topic = $1 GROUP BY partition`,
        [topic],
      );
      for (const { partition, gaps } of rows) if (gaps !== 0n) violations.push(`${gaps} gaps in ${partition}`);
    }
  })();
  const tasks = Array.from({ length: 16 }, async (_, task) => {
    for (let i = 0; i < 15; i++) await (task % 2 === 0 ? broker : second).publish(topic, messages(7, 7));
  });
  await Promise.all(tasks);
  published.abort();
  await watching;
  assert.deepEqual(violations, []);
  const [row] = await database.query<{ stored: bigint }>("SELECT count(*) AS stored FROM messages WHERE topic = $1", [
    topic,
  ]);
  assert.equal(row?.stored, 16n * 15n * 7n);
});

test("members share the partitions evenly, and the others take over those of a member that leaves", async () => {
  const { broker, topic } = await openTopic(7);
  await using _ = broker;
  const join = () => broker.subscribe(topic, async () => undefined, group("fair"));
  const first = await join();
  await untilHoldings(topic, "fair", [7]);
  await join();
  await join();
  await untilHoldings(topic, "fair", [2, 2, 3]);
  await first[Symbol.asyncDispose]();
  await untilHoldings(topic, "fair", [3, 4]);
});

test("a partition is handed over only after its running handler has ended", async () => {
  const { broker, topic } = await openTopic(1);
  await using _ = broker;
  const [started, finish] = [gate(), gate()];
  const log: string[] = [];
  const slow = await broker.subscribe(
    topic,
    async (delivery) => {
      started.open();
      await finish.passed;
      log.push(`first ${delivery.attempt}`);
    },
    group("handover"),
  );
  const [one, two] = [message("a"), message("a")];
  await broker.publish(topic, [one, two]);
  await started.passed;
  const received = new Received();
  await broker.subscribe(
    topic,
    received.handler(() => void log.push("second")),
    group("handover"),
  );
  const closing = slow[Symbol.asyncDispose]();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(log, []);
  finish.open();
  await closing;
  await received.all([two]);
  assert.deepEqual(log, ["first 1", "second"]);
});

test("after SIGKILL of a subscriber the others take over and receive what it did not acknowledge", async (t) => {
  const { broker, topic } = await openTopic(4);
  await using _ = broker;
  const child = spawn(
    process.execPath,
    ["-C", "source", fileURLToPath(import.meta.resolve("../../test/stuck-subscriber.ts")), engine.url, topic, "killed"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  t.after(() => child.kill("SIGKILL"));
  const sent = messages(8, 8);
  await broker.publish(topic, sent);
  await once(child.stdout, "data"); // Its handler holds a message and never returns.
  const received = new Received();
  child.kill("SIGKILL");
  await once(child, "exit");
  const killedAt = performance.now();
  await broker.subscribe(topic, received.handler(), group("killed"));
  await received.all(sent);
  assert.ok(performance.now() - killedAt < 5_000);
});

test("a member that loses its session aborts its handlers and does not acknowledge their messages", async () => {
  const { broker, topic } = await openTopic(1);
  await using _ = broker;
  const finish = gate();
  const signals: AbortSignal[] = [];
  const received = new Received();
  await broker.subscribe(
    topic,
    received.handler(async ({ signal }) => {
      signals.push(signal);
      if (signals.length === 1) await finish.passed;
    }),
    group("cut"),
  );
  const sent = message("a");
  await broker.publish(topic, [sent]);
  await eventually(() => signals.length === 1, "the first delivery");
  await cutSessions(topic);
  await eventually(() => signals[0]?.aborted === true, "the abort");
  finish.open();
  await eventually(() => signals.length === 2, "the second delivery");
});

test("a member that loses its session while closing aborts its handlers at once", {
  timeout: 20_000,
}, async () => {
  const { broker, topic } = await openTopic(1);
  await using _ = broker;
  const started = gate();
  const subscription = await broker.subscribe(
    topic,
    async ({ signal }) => {
      started.open();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    },
    group("cut", { closeMs: 60_000 }),
  );
  await broker.publish(topic, [message("a")]);
  await started.passed;
  const closing = subscription[Symbol.asyncDispose]();
  await cutSessions(topic);
  await closing;
});

test("a broker is stuck while a session that is gone keeps the partitions of its group, and no longer", async () => {
  await using broker = await openPostgresBroker({ url: engine.url, stuckMs: 200 }, noTelemetry);
  const topic = unique("topic");
  await broker.createTopics([topic], { partitions: 2 });
  await database.query("INSERT INTO consumer_groups (topic, name) VALUES ($1, 'workers')", [topic]);
  const released = gate();
  const gone = database.session(async (session) => {
    const sql = `SELECT pg_advisory_lock_shared(id, 0), pg_advisory_lock(id, 1), pg_advisory_lock(id, 2)
      FROM consumer_groups WHERE topic = $1`;
    await session.query(sql, [topic]);
    await released.passed;
  });
  await untilHoldings(topic, "workers", [2]);
  const received = new Received();
  await broker.subscribe(topic, received.handler(), group("workers"));
  const sent = messages(4);
  await broker.publish(topic, sent);
  await eventually(() => broker.isStuck, "a subscription that waits for its partition");
  assert.equal(received.deliveries.length, 0);
  released.open();
  await gone;
  await received.all(sent);
  await eventually(() => !broker.isStuck, "a subscription with its partitions");
});

test("messages are found by polling if no notification arrives", async () => {
  await using broker = await openPostgresBroker({ url: engine.url, pollMs: 50 }, noTelemetry);
  const topic = unique("topic");
  await broker.createTopics([topic], { partitions: 2 });
  const received = new Received();
  await broker.subscribe(topic, received.handler(), group("polling"));
  await untilHoldings(topic, "polling", [2]);
  const sent = messages(4);
  // Inserts the rows without the adapter, so that no NOTIFY is sent.
  await database.query(
    `WITH moved AS (UPDATE partitions SET next_offset = 4 WHERE topic = $1 AND partition = 0)
     INSERT INTO messages (topic, partition, "offset", id, source, type, key, time, content_type, data, headers)
     SELECT $1, 0, place - 1, id, 's', 't', 'k', now(), 'text/plain', '', '{}' FROM unnest($2::text[]) WITH ORDINALITY AS t (id, place)`,
    [topic, sent.map(({ id }) => id)],
  );
  await received.all(sent);
});

test("messages past their topic's retention are deleted, and younger ones and other topics stay", async () => {
  const { broker, topic } = await openTopic(2, 60_000);
  await using _ = broker;
  const other = unique("other");
  await broker.createTopics([other], { partitions: 1 });
  const old = messages(2_500, 20);
  await broker.publish(topic, old);
  await broker.publish(other, messages(10));
  await database.query("UPDATE messages SET published_at = now() - interval '2 minutes'");
  const fresh = messages(10);
  await broker.publish(topic, fresh);
  assert.equal(await deleteExpiredMessages(database), 2_500);
  const received = new Received();
  await broker.subscribe(topic, received.handler(), group("readers"));
  await received.all(fresh);
  assert.equal(received.ids.length, 10);
  const [row] = await database.query<{ kept: bigint }>("SELECT count(*) AS kept FROM messages WHERE topic = $1", [
    other,
  ]);
  assert.equal(row?.kept, 10n);
});

test("text that PostgreSQL cannot store is rejected with invalid_argument", async () => {
  const { broker, topic } = await openTopic(1);
  await using _ = broker;
  for (const wrong of [message("nul\u0000"), { ...message("a"), headers: { half: "\ud800" } }]) {
    await assert.rejects(broker.publish(topic, [wrong]), (error) => codeOf(error) === "invalid_argument");
  }
});

test("an unreachable database is reported as unavailable when opening", async () => {
  const url = new URL(engine.url);
  url.port = "1";
  await assert.rejects(
    openPostgresBroker({ url: url.href, connectTimeoutMs: 200 }, noTelemetry),
    (error) => codeOf(error) === "unavailable",
  );
});
