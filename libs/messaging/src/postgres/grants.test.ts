import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { codeOf, ServiceError } from "@plumbline/errors";
import { type Database, openDatabase, sqlStateOf } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { createRole, type LoginRole, testDatabase } from "@plumbline/tools-engines";
import type { Broker } from "../broker.ts";
import { eventually, group, message, messages, Received } from "../conformance/test-context.ts";
import { type Rights, rightsOf } from "../rights.ts";
import { deadTopic, retryTopic } from "../topics.ts";
import { openPostgresBroker } from "./broker.ts";
import { grantOnPostgres } from "./grants.ts";
import { deleteExpiredMessages } from "./retention.ts";

const declared = {
  orders: {
    publishes: "orders.events",
    consumes: { topic: "fulfilment.events", group: "orders" },
    retryDelaysMs: [50],
  },
  worker: {
    publishes: "fulfilment.events",
    consumes: { topic: "orders.events", group: "worker" },
    retryDelaysMs: [50],
  },
};

interface Service {
  readonly login: LoginRole;
  readonly rights: Rights;
  readonly broker: Broker;
  /** Statements of the role, without the adapter. */
  readonly database: Database;
}

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
let engine: { readonly url: string };
let owner: Broker;
let orders: Service;
let worker: Service;

async function openService(name: keyof typeof declared): Promise<Service> {
  const login = stack.use(await createRole(engine.url));
  const rights = rightsOf(declared[name]);
  await grantOnPostgres({ url: engine.url }, login.role, rights, noTelemetry);
  return {
    login,
    rights,
    broker: stack.use(await openPostgresBroker({ url: login.url, pollMs: 50 }, noTelemetry)),
    database: stack.use(await openDatabase({ url: login.url, applicationName: "test" }, noTelemetry)),
  };
}

before(async () => {
  engine = stack.use(await testDatabase());
  owner = stack.use(await openPostgresBroker({ url: engine.url }, noTelemetry));
  [orders, worker] = [await openService("orders"), await openService("worker")];
  const topics = [...orders.rights.publishes, ...worker.rights.publishes];
  await owner.createTopics(topics, { partitions: 2 });
});

const isDenied = (reason: string) => (error: unknown) =>
  error instanceof ServiceError && error.code === "permission_denied" && error.reason === reason;

async function stored(): Promise<bigint> {
  await using database = await openDatabase({ url: engine.url, applicationName: "test" }, noTelemetry);
  const [row] = await database.query<{ n: bigint }>("SELECT count(*) AS n FROM messages");
  return row?.n ?? 0n;
}

test("a role publishes its own topics, its retries and its dead letters, and nothing else (negative 10)", async () => {
  for (const [one, other] of [
    [orders, worker],
    [worker, orders],
  ] as const) {
    const own = await stored();
    for (const topic of one.rights.publishes) await one.broker.publish(topic, [message("a")]);
    const count = await stored();
    assert.equal(count, own + BigInt(one.rights.publishes.length));
    for (const topic of other.rights.publishes) {
      await assert.rejects(one.broker.publish(topic, [message("a")]), isDenied("PUBLISH_NOT_ALLOWED"), topic);
    }
    assert.equal(await stored(), count, "a refused message is not stored");
  }
});

test("the error of a refused publish names the role, the topic and what to do", async () => {
  await assert.rejects(worker.broker.publish("orders.events", [message("a")]), ({ message: text }: Error) => {
    for (const part of [`"${worker.login.role}"`, '"orders.events"', "messaging.role"]) assert.ok(text.includes(part));
    return true;
  });
});

test("a role receives its own subscription, and cannot join that of another", async () => {
  const received = new Received();
  await using _ = await worker.broker.subscribe("orders.events", received.handler(), group("worker"));
  const sent = messages(20);
  await orders.broker.publish("orders.events", sent);
  await received.all(sent);

  const stolen = new Received();
  await using _group = await orders.broker.subscribe("orders.events", stolen.handler(), group("worker"));
  await using _topic = await orders.broker.subscribe("orders.events", stolen.handler(), group("orders"));
  const more = messages(20);
  await orders.broker.publish("orders.events", more);
  await received.all(more);
  assert.deepEqual(stolen.ids, []);
  const insert = "INSERT INTO consumer_groups (topic, name) VALUES ('orders.events', 'worker') ON CONFLICT DO NOTHING";
  await assert.rejects(orders.database.query(insert), (error) => sqlStateOf(error) === "42501");
});

test("statements of a role change no table, and show no message and no position of another", async () => {
  for (const sql of [
    `INSERT INTO messages (topic, partition, "offset", id, source, type, key, time, content_type, data, headers)
       VALUES ('orders.events', 0, 1000, 'a', '', '', '', now(), '', '', '{}')`,
    "UPDATE messages SET data = ''",
    "DELETE FROM messages",
    "UPDATE partitions SET next_offset = 0",
    "UPDATE topics SET retention_ms = 1",
    "DELETE FROM positions",
    "INSERT INTO publishers SELECT 'fulfilment.events', session_user::regrole",
    "INSERT INTO consumers SELECT 'orders.events', 'worker', session_user::regrole",
    "UPDATE schema_migrations SET name = ''",
    "CREATE TABLE evil (a int)",
    "CREATE OR REPLACE FUNCTION delete_expired_messages() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "INSERT INTO positions SELECT id, 0, 99 FROM consumer_groups WHERE name = 'worker' ON CONFLICT (group_id, partition) DO UPDATE SET position = 99",
  ]) {
    await assert.rejects(orders.database.query(sql), (error) => sqlStateOf(error) === "42501", sql);
  }
  await owner.publish("fulfilment.events", [message("a")]);
  await owner.publish("orders.events", [message("a")]);
  const seen = await orders.database.query<{ topic: string }>("SELECT DISTINCT topic FROM messages");
  const readable = new Set(orders.rights.consumes.map(({ topic }) => topic));
  assert.deepEqual(
    seen.filter(({ topic }) => !readable.has(topic)),
    [],
  );
  assert.ok(seen.length > 0);
  const positions = `SELECT 1 FROM positions JOIN consumer_groups ON id = group_id WHERE name <> 'orders'`;
  assert.deepEqual(await orders.database.query(positions), []);
});

test("a role's search path and temporary tables do not reach the functions", async () => {
  await using elsewhere = await openDatabase({ url: engine.url, applicationName: "test" }, noTelemetry);
  await elsewhere.query(`GRANT TEMPORARY ON DATABASE ${new URL(engine.url).pathname.slice(1)} TO ${worker.login.role}`);
  const count = await stored();
  await worker.database.session(async (session) => {
    await session.query(
      "CREATE TEMPORARY TABLE publishers AS SELECT 'orders.events' AS topic, session_user::regrole AS role",
    );
    await session.query("GRANT SELECT ON publishers TO PUBLIC");
    await session.query("SET search_path = pg_temp, public");
    const sql = `SELECT publish_messages('orders.events', '{0}', '{a}', '{s}', '{t}', '{k}', ARRAY[now()], '{c}', ARRAY[''::bytea], '{"{}"}')`;
    await assert.rejects(session.query(sql), (error) => sqlStateOf(error) === "42501");
  });
  assert.equal(await stored(), count);
});

test("a role that is a member of a service's role has its rights, so that logins can take turns", async () => {
  await using turn = await createRole(engine.url, orders.login.role);
  await using broker = await openPostgresBroker({ url: turn.url }, noTelemetry);
  await broker.publish("orders.events", [message("a")]);
  await assert.rejects(broker.publish("fulfilment.events", [message("a")]), isDenied("PUBLISH_NOT_ALLOWED"));
});

test("a role deletes what is past its retention, and nothing else", async () => {
  await using database = await openDatabase({ url: engine.url, applicationName: "test" }, noTelemetry);
  await owner.createTopics(["short"], { partitions: 1, retentionMs: 1_000 });
  await owner.publish("short", [message("a"), message("a")]);
  await database.query("UPDATE messages SET published_at = now() - interval '1 minute' WHERE topic = 'short'");
  const count = await stored();
  assert.equal(await deleteExpiredMessages(orders.database), 2);
  assert.equal(await stored(), count - 2n);
});

test("a role creates no topic, and one without rights opens no broker", async () => {
  await assert.rejects(
    orders.broker.createTopics(["new"], { partitions: 1 }),
    (error) => sqlStateOf(error) === "42501",
  );
  await using stranger = await createRole(engine.url);
  const opening = openPostgresBroker({ url: stranger.url }, noTelemetry);
  await assert.rejects(opening, isDenied("MESSAGING_NOT_ALLOWED"));
});

test("a missing role is named with what to do, and grants at once do not fail", async () => {
  const missing = grantOnPostgres({ url: engine.url }, "nobody_here", orders.rights, noTelemetry);
  await assert.rejects(
    missing,
    (error: Error) => codeOf(error) === "failed_precondition" && /"nobody_here"/.test(error.message),
  );
  const both = [orders, worker, orders, worker];
  await Promise.all(
    both.map(({ login, rights }) => grantOnPostgres({ url: engine.url }, login.role, rights, noTelemetry)),
  );
});

test("a refused subscription says so in the log, and goes on once the right is there", async () => {
  const warnings: string[] = [];
  const logger = {
    ...noTelemetry.logger,
    warn: (text: string, fields?: object) => void warnings.push(`${text} ${JSON.stringify(fields)}`),
  };
  await using login = await createRole(engine.url);
  const rights = { publishes: [], consumes: [{ topic: "fulfilment.events", group: "other" }] };
  await grantOnPostgres({ url: engine.url }, login.role, rights, noTelemetry);
  await using broker = await openPostgresBroker({ url: login.url, pollMs: 50 }, { ...noTelemetry, logger });
  const received = new Received();
  await using _ = await broker.subscribe("fulfilment.events", received.handler(), group("late"));
  await eventually(() => warnings.some((line) => line.includes("consumer_groups")), "a warning");
  const late = { publishes: [], consumes: [{ topic: "fulfilment.events", group: "late" }] };
  await grantOnPostgres({ url: engine.url }, login.role, late, noTelemetry);
  const sent = messages(2);
  await owner.publish("fulfilment.events", sent);
  await received.all(sent);
});

test("rights follow from what a service publishes and consumes", () => {
  assert.deepEqual(rightsOf(declared.orders), {
    publishes: [
      "orders.events",
      retryTopic("fulfilment.events", "orders", 50),
      deadTopic("fulfilment.events", "orders"),
    ],
    consumes: [
      { topic: "fulfilment.events", group: "orders" },
      { topic: retryTopic("fulfilment.events", "orders", 50), group: "orders" },
    ],
  });
});
