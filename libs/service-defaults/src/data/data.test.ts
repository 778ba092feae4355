import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Config, count, env, loadConfig } from "@plumbline/config";
import {
  appendToOutbox,
  type Broker,
  createMessage,
  deadTopic,
  handleOnce,
  inboxMigration,
  type Message,
  openPostgresBroker,
  outboxMigration,
} from "@plumbline/messaging";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { createRole, testDatabase } from "@plumbline/tools-engines";
import { serviceConfig, settings } from "../settings.ts";
import { consume } from "./consume.ts";
import { migrateData } from "./migrate-data.ts";
import { openBroker } from "./open-broker.ts";

const Sample = serviceConfig({
  database: settings.database(),
  ...settings.broker(),
  concurrency: count(4, 100),
  retries: settings.retries(),
  relay: settings.relay(),
  inbox: settings.inbox(),
  telemetry: settings.telemetry(),
  ...settings.shutdown(),
});
const migrate = migrateData({
  migrations: [
    { id: 1, ...inboxMigration },
    { id: 2, ...outboxMigration },
  ],
  publishes: { topic: "sample.events", partitions: 2 },
  consumes: { topic: "other.events", partitions: 3 },
});
const noDocument = env("FLAGS", {});
const context = {
  name: "sample",
  signal: new AbortController().signal,
  sources: [],
  flags: noDocument,
  document: () => noDocument,
};

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
let config: Config<typeof Sample>;
/** The settings of `migrate`: those of the owner of the broker's tables. */
let ofOwner: Config<typeof Sample>;
let database: Database;
let broker: Broker;
let owner: Broker;

before(async () => {
  const [own, messaging] = [stack.use(await testDatabase()), stack.use(await testDatabase())];
  const login = stack.use(await createRole(messaging.url));
  const environment = {
    ...passwordApart("X_DATABASE", own.url),
    ...passwordApart("X_MESSAGING", messaging.url),
    X_RETRIES_DELAYS_MS: "[50]",
    X_RETRIES_ATTEMPTS: "2",
    X_TELEMETRY_LOG_LEVEL: "error",
  };
  ofOwner = await loadConfig(Sample, [env("X", { ...environment, X_MESSAGING_ROLE: login.role })]);
  await migrate(ofOwner, context);
  config = await loadConfig(Sample, [env("X", { ...environment, ...passwordApart("X_MESSAGING", login.url) })]);
  owner = stack.use(await openPostgresBroker({ url: messaging.url }, noTelemetry));
  database = stack.use(await openDatabase({ url: own.url, applicationName: "test" }, noTelemetry));
  broker = stack.use(await openBroker("sample", config, noTelemetry));
});

/** Returns the settings of a database whose password is not in its URL. */
function passwordApart(prefix: string, url: string): Record<string, string> {
  const { password } = new URL(url);
  const bare = Object.assign(new URL(url), { password: "" }).href;
  return { [`${prefix}_URL`]: bare, [`${prefix}_PASSWORD`]: decodeURIComponent(password) };
}

const received: Message[] = [];
const effects: string[] = [];
const message = (key: string): Message =>
  createMessage({ source: "/test", type: "test", key, contentType: "text/plain", data: new Uint8Array() });

async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, "not within 20 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("migrateData creates the tables and all topics, and does nothing the second time", async () => {
  for (const table of ["inbox", "outbox"]) await database.query(`select 1 from ${table}`);
  for (const topic of ["sample.events", "other.events", "other.events.sample.retry.50ms", "other.events.sample.dead"]) {
    assert.ok((await broker.retentionMs(topic)) > 0);
  }
  await migrate(ofOwner, context);
});

test("the role of the service publishes its topic, and not the one that it consumes", async () => {
  await assert.rejects(broker.publish("other.events", [message("forged")]), { code: "permission_denied" });
});

test("an event has one effect, what its handler writes to the outbox is published, and an event that fails is dead-lettered", async () => {
  const subscription = { group: "test", concurrency: 1 };
  const dead: Message[] = [];
  const collect = (topic: string, into: Message[]) =>
    owner.subscribe(topic, async ({ message }) => void into.push(message), subscription);
  await using _own = await collect("sample.events", received);
  await using _dead = await collect(deadTopic("other.events", "sample"), dead);
  {
    await using _events = await consume(
      {
        database,
        broker,
        topic: "other.events",
        group: "sample",
        handler: async ({ message }) => {
          if (message.key === "broken") throw new Error("the handler failed");
          await handleOnce(database, "sample", message, async (tx) => {
            effects.push(message.key);
            await appendToOutbox(tx, "sample.events", { ...message, id: `answer to ${message.id}` });
          });
        },
      },
      noTelemetry,
      { ...config, grace: { events: 1_000, relay: 1_000 }, backoff: { baseMs: 1, maxMs: 2 } },
    );
    const good = message("good");
    await owner.publish("other.events", [good, good, message("broken")]);
    await until(() => received.length === 1 && dead.length === 1);
  }
  assert.deepEqual(effects, ["good"]);
  assert.equal(dead[0]?.key, "broken");
  await owner.publish("other.events", [message("late")]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(effects, ["good"], "nothing is handled once it is disposed");
});
