import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Writable } from "node:stream";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { codeOf, ServiceError } from "@plumbline/errors";
import { type Database, migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry, startTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";
import { recording } from "../../test/recording.ts";
import type { Broker, Publisher } from "../broker.ts";
import { eventually, group, message, messages, Received } from "../conformance/test-context.ts";
import { openMemoryBroker } from "../memory/broker.ts";
import type { Message } from "../message.ts";
import { appendToOutbox } from "./append-to-outbox.ts";
import { asleepLock, outboxChannel, outboxMigration } from "./migration.ts";
import { relayOutbox } from "./relay-outbox.ts";

const engines = new AsyncDisposableStack();
after(() => engines.disposeAsync());

const fast = { pollMs: 200, standbyMs: 20, backoff: { baseMs: 5, maxMs: 20 } };

interface Service extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  readonly broker: Broker;
  readonly received: Received;
}

/** Opens a service's database with an outbox, and a broker with a reader of the topic `events`. */
async function openService(): Promise<Service> {
  const stack = new AsyncDisposableStack();
  const { url } = engines.use(await testDatabase());
  const database = stack.use(await openDatabase({ url, applicationName: "service", maxSessions: 8 }, noTelemetry));
  await migrate(database, [{ id: 1, ...outboxMigration }]);
  const broker = stack.use(openMemoryBroker());
  await broker.createTopics(["events"], { partitions: 6 });
  const received = new Received();
  await broker.subscribe("events", received.handler(), group("readers"));
  return { url, database, broker, received, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function append(database: Database, sent: readonly Message[], topic = "events"): Promise<void> {
  await database.transaction(async (tx) => {
    for (const one of sent) await appendToOutbox(tx, topic, one);
  });
}

async function pending(database: Database): Promise<number> {
  const [row] = await database.query<{ rows: number }>("SELECT count(*)::int AS rows FROM outbox");
  return row?.rows ?? 0;
}

async function untilPending(database: Database, wanted: number): Promise<void> {
  const limit = AbortSignal.timeout(10_000);
  while ((await pending(database)) !== wanted) limit.throwIfAborted();
}

test("a message is published after the commit of its transaction, and never after a rollback", async () => {
  await using service = await openService();
  const { database, broker, received } = service;
  await using _ = await relayOutbox(database, broker, noTelemetry, fast);
  const lost = message("a", "rolled back");
  const rollback = database.transaction(async (tx) => {
    await appendToOutbox(tx, "events", lost);
    throw new Error("no");
  });
  await assert.rejects(rollback, /no/);
  const kept = { ...message("a"), headers: { traceparent: "00-trace" }, data: Uint8Array.of(0, 255, 1) };
  await append(database, [kept]);
  await received.all([kept]);
  const delivered = received.deliveries[0]?.message;
  assert.deepEqual({ ...delivered, data: [...(delivered?.data ?? [])] }, { ...kept, data: [...kept.data] });
  assert.ok(!received.has(lost));
  await untilPending(database, 0);
});

test("a message continues the trace that was active at the append, and metrics show the backlog", async () => {
  await using service = await openService();
  const { database, broker, received } = service;
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  await using telemetry = startTelemetry({ service: "test", destination });
  const sent = message("a");
  const traceId = await telemetry.tracer.span("place order", {}, async (span) => {
    await database.transaction((tx) => appendToOutbox(tx, "events", sent, { tracer: telemetry.tracer }));
    return span.traceId;
  });
  await using _ = await relayOutbox(database, broker, telemetry, fast);
  await received.all([sent]);
  assert.equal(received.deliveries[0]?.message.headers["traceparent"]?.split("-")[1], traceId);
  await untilPending(database, 0);
  const { body } = await telemetry.metrics.text();
  assert.match(body, /^outbox_pending\S* 0$/m);
  assert.match(body, /^outbox_lag_seconds\S* 0$/m);
  assert.match(body, /^message_publish_duration_seconds_count\{.*topic="events".*\} 1$/m);
});

test("a publish links to the trace of each message, and is part of it if all share one", async () => {
  const telemetry = recording();
  await using service = await openService();
  const { database, broker, received } = service;
  const place = (ids: readonly string[]) =>
    telemetry.tracer.span("place order", {}, async ({ traceId, spanId }) => {
      const sent = ids.map((key) => message(key));
      await database.transaction(async (tx) => {
        for (const one of sent) await appendToOutbox(tx, "events", one, { tracer: telemetry.tracer });
      });
      return { sent, link: { traceId, spanId } };
    });
  const alone = await place(["a", "b"]);
  const relay = await relayOutbox(database, broker, telemetry, fast);
  await received.all(alone.sent);
  await untilPending(database, 0);
  await relay[Symbol.asyncDispose]();
  const [one, other] = [await place(["c"]), await place(["d"])];
  await using _ = await relayOutbox(database, broker, telemetry, fast);
  await received.all([...alone.sent, ...one.sent, ...other.sent]);
  await untilPending(database, 0);
  await telemetry[Symbol.asyncDispose]();

  const [first, second] = telemetry.spans.filter(({ name }) => name === "publish events");
  assert.deepEqual(first?.links, [alone.link, alone.link]);
  assert.deepEqual(first?.parent, alone.link.spanId);
  assert.deepEqual(second?.links, [one.link, other.link]);
  assert.equal(second?.parent, undefined);
  assert.ok(![one.link.traceId, other.link.traceId].includes(second?.traceId ?? ""));
});

test("the commit wakes the relay before the next poll", async () => {
  await using service = await openService();
  const { database, broker, received } = service;
  await using _ = await relayOutbox(database, broker, noTelemetry, { ...fast, pollMs: 60_000 });
  for (let i = 0; i < 3; i++) {
    const [one] = [message("a")];
    await append(database, [one]);
    await received.all([one]);
  }
});

test("a commit notifies only while the relay sleeps, and none that does not is overlooked", async () => {
  await using service = await openService();
  const { database, broker, received } = service;
  const sending = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const publisher: Publisher = {
    publish: async (...publishing) => {
      sending.resolve();
      await gate.promise;
      await broker.publish(...publishing);
    },
  };
  await using listener = await database.listen(outboxChannel);
  const notified = listener[Symbol.asyncIterator]();
  const next = async () => (await notified.next()).value?.payload;
  await using _ = await relayOutbox(database, publisher, noTelemetry, { ...fast, pollMs: 60_000 });
  await untilAsleep(database);
  const sent = messages(3);
  await append(database, sent.slice(0, 1));
  assert.equal(await next(), "");

  // The relay is awake, and so are those that commit meanwhile or after it found no more rows.
  await sending.promise;
  await append(database, sent.slice(1, 2));
  await database.transaction(async (tx) => {
    await appendToOutbox(tx, "events", sent[2] as Message);
    gate.resolve();
    await received.all(sent.slice(0, 2));
  });
  await received.all(sent);
  await database.query("SELECT pg_notify($1, 'no other before')", [outboxChannel]);
  assert.equal(await next(), "no other before");
});

/** Waits until a relay asks to be notified. */
async function untilAsleep(database: Database): Promise<void> {
  const sql = `SELECT count(*)::int AS held FROM pg_locks, (SELECT ${asleepLock} AS key) AS lock
    WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = ((key >> 32) & 4294967295) AND objid::bigint = (key & 4294967295)`;
  const limit = AbortSignal.timeout(30_000);
  while ((await database.query<{ held: number }>(sql))[0]?.held !== 1) limit.throwIfAborted();
}

test("with a thousand pairs of overlapping transactions and two relays, no message is skipped and each key is in order", async () => {
  await using service = await openService();
  const { url, database, broker, received } = service;
  const [workers, pairs, keys] = [4, 250, 10];
  await database.query("CREATE TABLE items (key text PRIMARY KEY, version int NOT NULL DEFAULT 0)");
  await database.query("INSERT INTO items SELECT 'key-' || n FROM generate_series(0, $1::int - 1) AS n", [keys]);
  await using other = await openDatabase({ url, applicationName: "other" }, noTelemetry);
  // Polls would hide a commit that should have woken the relay.
  const unpolled = { ...fast, pollMs: 60_000 };
  await using _first = await relayOutbox(database, broker, noTelemetry, unpolled);
  await using _second = await relayOutbox(other, broker, noTelemetry, unpolled);

  // The update locks the row until the commit, so transactions of one key exclude each other, as in
  // a service.
  const change = (on: Database, key: string, untilCommit: Promise<void>) => {
    const appended = Promise.withResolvers<void>();
    const committed = on.transaction(async (tx) => {
      const sql = "UPDATE items SET version = version + 1 WHERE key = $1 RETURNING version";
      const [row] = await tx.query<{ version: number }>(sql, [key]);
      await appendToOutbox(tx, "events", message(key, String(row?.version)));
      appended.resolve();
      await untilCommit;
    });
    committed.catch(appended.reject);
    return { appended: appended.promise, committed };
  };
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let pair = 0; pair < pairs; pair++) {
        // Locks are taken in the order of the keys, so that the workers cannot deadlock.
        const low = (worker + pair) % (keys - 1);
        const high = low + 1 + ((worker * 7 + pair) % (keys - 1 - low));
        const later = Promise.withResolvers<void>();
        // The first takes the lower row id and commits last. A relay with a cursor would skip it.
        const late = change(database, `key-${low}`, later.promise);
        await late.appended;
        const early = change(other, `key-${high}`, Promise.resolve());
        await early.committed;
        later.resolve();
        await late.committed;
      }
    }),
  );
  await eventually(() => received.ids.length >= 2 * workers * pairs, "all messages");
  assert.equal(new Set(received.ids).size, 2 * workers * pairs);
  for (let key = 0; key < keys; key++) {
    const versions = received.deliveries
      .filter((delivery) => delivery.message.key === `key-${key}`)
      .map((delivery) => Number(Buffer.from(delivery.message.data).toString()));
    assert.deepEqual(
      versions,
      versions.map((_, i) => i + 1),
      `key-${key}`,
    );
  }
});

test("only one of several relays sends, and another takes over when its process is killed", async (t) => {
  await using service = await openService();
  const { url, database, broker, received } = service;
  const script = fileURLToPath(import.meta.resolve("../../test/holding-relay.ts"));
  const child = spawn(process.execPath, ["-C", "source", script, url], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const sent = messages(20);
  await append(database, sent);
  await once(child.stdout, "data"); // It is active, and its send never ends.
  await using _ = await relayOutbox(database, broker, noTelemetry, fast);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(received.ids, []);
  child.kill("SIGKILL");
  await received.all(sent);
});

test("a relay is stuck while it stands by and messages wait, and no longer", async () => {
  await using service = await openService();
  const { database, broker, received } = service;
  const released = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const gone = database.session(async (session) => {
    await session.query("SELECT pg_advisory_lock(hashtextextended('plumbline.outbox.relay', 0))");
    locked.resolve();
    await released.promise;
  });
  await locked.promise;
  await using relay = await relayOutbox(database, broker, noTelemetry, { ...fast, stuckMs: 300 });
  const sent = messages(2);
  await append(database, sent);
  assert.equal(relay.isStuck, false);
  await eventually(() => relay.isStuck, "a relay that sees messages wait");
  released.resolve();
  await gone;
  await received.all(sent);
  assert.equal(relay.isStuck, false);
});

test("a relay that loses its session hands over, and every message still arrives in order", async () => {
  await using service = await openService();
  const { url, database, broker, received } = service;
  await using other = await openDatabase({ url, applicationName: "other" }, noTelemetry);
  await using _first = await relayOutbox(database, broker, noTelemetry, fast);
  await using _second = await relayOutbox(other, broker, noTelemetry, fast);
  const sent = messages(200, 5);
  for (let i = 0; i < sent.length; i += 5) {
    await append(database, sent.slice(i, i + 5));
    if (i % 50 === 0) {
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
      );
    }
  }
  await received.all(sent);
  for (let key = 0; key < 5; key++) {
    const wanted = sent.filter((one) => one.key === `key-${key}`).map((one) => one.id);
    assert.deepEqual(received.order(`key-${key}`), wanted);
  }
});

test("rows wait while the broker is down, and are sent in order when it returns", async () => {
  await using service = await openService();
  const { database, broker, received } = service;
  let isDown = true;
  let refused = 0;
  const flaky: Publisher = {
    async publish(topic, batch, options) {
      if (isDown) {
        refused++;
        throw new ServiceError("unavailable", "the broker is down");
      }
      await broker.publish(topic, batch, options);
    },
  };
  await using _ = await relayOutbox(database, flaky, noTelemetry, fast);
  const sent = messages(50, 3);
  await append(database, sent);
  await eventually(() => refused >= 3, "attempts");
  assert.equal(await pending(database), 50);
  isDown = false;
  await received.all(sent);
  for (let key = 0; key < 3; key++) {
    assert.deepEqual(
      received.order(`key-${key}`),
      sent.filter((m) => m.key === `key-${key}`).map((m) => m.id),
    );
  }
});

test("a message that the broker rejects for good is set aside with the reason, and the others continue", async () => {
  await using service = await openService();
  const { database, received, broker } = service;
  const strict: Publisher = {
    async publish(topic, batch, options) {
      if (batch.some((one) => one.key === "wrong")) throw new ServiceError("invalid_argument", "I will not");
      await broker.publish(topic, batch, options);
    },
  };
  const [before, wrong, behind] = [message("a"), message("wrong"), message("a")];
  await append(database, [before, wrong, behind]);
  await using _ = await relayOutbox(database, strict, noTelemetry, fast);
  await received.all([before, behind]);
  const rows = await database.query<{ refused: string }>("SELECT refused FROM outbox WHERE message_id = $1", [
    wrong.id,
  ]);
  assert.match(rows[0]?.refused ?? "", /I will not/);
});

test("a message over the limit is rejected at the append", async () => {
  await using service = await openService();
  const large = { ...message("a"), data: new Uint8Array(1_000_001) };
  await assert.rejects(append(service.database, [large]), (error) => codeOf(error) === "invalid_argument");
  assert.equal(await pending(service.database), 0);
});

test("a batch is one send per topic and is bounded in messages and in bytes", async () => {
  await using service = await openService();
  const { database } = service;
  const batches: string[] = [];
  const counting: Publisher = {
    async publish(topic, batch) {
      batches.push(`${topic}: ${batch.length}`);
    },
  };
  await append(database, messages(25));
  await append(database, messages(5), "others");
  await append(
    database,
    Array.from({ length: 3 }, () => ({ ...message("a"), data: new Uint8Array(600) })),
    "large",
  );
  await using _ = await relayOutbox(database, counting, noTelemetry, { ...fast, batchSize: 30, batchBytes: 1_000 });
  await eventually(() => batches.length >= 4, "four batches");
  assert.deepEqual(batches, ["events: 25", "others: 5", "large: 2", "large: 1"]);
});

test("no transaction is open during a send, so a send blocks neither vacuum nor locks", async () => {
  await using service = await openService();
  const { database } = service;
  let states: string[] | undefined;
  const observing: Publisher = {
    async publish() {
      const rows = await database.query<{ state: string }>(
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)",
      );
      states = rows.map(({ state }) => state);
    },
  };
  await append(database, messages(3));
  await using _ = await relayOutbox(database, observing, noTelemetry, fast);
  await eventually(() => states !== undefined, "a send");
  assert.deepEqual(states, []);
});

test("closing waits for the batch in flight and aborts it at the time limit", async () => {
  await using service = await openService();
  const { database } = service;
  let signal: AbortSignal | undefined;
  const stuck: Publisher = {
    publish: (_topic, _batch, options) =>
      new Promise((_, reject) => {
        signal = options?.signal;
        options?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      }),
  };
  await append(database, messages(3));
  const relay = await relayOutbox(database, stuck, noTelemetry, { ...fast, closeMs: 50 });
  await eventually(() => signal !== undefined, "a send");
  await relay[Symbol.asyncDispose]();
  assert.equal(signal?.aborted, true);
  assert.equal(await pending(database), 3);
});
