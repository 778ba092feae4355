import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, open, running } from "../test/support.ts";
import { type Migration, migrate, openDatabase, type Queryable, requireMigrated } from "./index.ts";

const one: Migration = {
  id: 1,
  name: "orders",
  sql: "CREATE TABLE orders (id int PRIMARY KEY);\nCREATE INDEX ON orders (id);",
};
const two: Migration = { id: 2, name: "customer", sql: "ALTER TABLE orders ADD customer text" };
const three: Migration = { id: 3, name: "total", sql: "ALTER TABLE orders ADD total bigint" };

test("migrations are applied in order, once", async () => {
  await using place = await open();
  const { database } = place;
  assert.equal(await migrate(database, [two, one]), 2);
  assert.equal(await migrate(database, [one, two]), 0);
  assert.equal(await migrate(database, [one, two, three]), 1);
  assert.deepEqual(await database.query("SELECT id, name FROM schema_migrations ORDER BY id"), [
    { id: 1, name: "orders" },
    { id: 2, name: "customer" },
    { id: 3, name: "total" },
  ]);
  assert.deepEqual(await database.query("SELECT id, customer, total FROM orders"), []);
});

test("several concurrent migrators apply each migration once", async () => {
  await using place = await open();
  const slow = { ...one, sql: `SELECT pg_sleep(0.1); ${one.sql}` };
  await using stack = new AsyncDisposableStack();
  const replicas = await Promise.all(
    Array.from({ length: 5 }, async () =>
      stack.use(await openDatabase({ url: place.url, applicationName: "r" }, noTelemetry)),
    ),
  );
  const counts = await Promise.all(replicas.map(async (replica) => await migrate(replica, [slow, two, three])));
  assert.deepEqual(counts.sort(), [0, 0, 0, 0, 3]);
});

for (const { name, later, reason, message } of [
  {
    name: "a migration changed after it was applied is refused",
    later: [{ ...one, sql: "SELECT 1" }, two, three],
    reason: "CHANGED",
    message: /1 \(orders\) was changed/,
  },
  {
    name: "an applied migration that is missing is refused",
    later: [two, three],
    reason: "MISSING",
    message: /1 \(orders\) was applied .* not in the program/,
  },
  {
    name: "a database ahead of the program is refused",
    later: [one],
    reason: "NEWER",
    message: /2 \(customer\), which is newer/,
  },
]) {
  test(name, async () => {
    await using place = await open();
    await migrate(place.database, [one, two]);
    await assert.rejects(migrate(place.database, later), {
      code: "failed_precondition",
      reason: `MIGRATION_${reason}`,
      message,
    });
    assert.deepEqual(await place.database.query("SELECT id FROM schema_migrations ORDER BY id"), [
      { id: 1 },
      { id: 2 },
    ]);
  });
}

test("a migration numbered below an applied one is refused", async () => {
  await using place = await open();
  await migrate(place.database, [one, three]);
  await assert.rejects(migrate(place.database, [one, two, three]), {
    reason: "MIGRATION_OUT_OF_ORDER",
    message: /2 \(customer\)/,
  });
});

test("an older version starts on a newer database if that is allowed, and changes nothing", async () => {
  await using place = await open();
  await migrate(place.database, [one, two, three]);
  assert.equal(await migrate(place.database, [one, two], { allowNewer: true }), 0);
});

test("line ends make no difference", async () => {
  await using place = await open();
  await migrate(place.database, [one]);
  assert.equal(await migrate(place.database, [{ ...one, sql: one.sql.replaceAll("\n", "\r\n") }]), 0);
});

test("a migration that fails is rolled back, keeps earlier ones, and can be retried", async () => {
  await using place = await open();
  const { database } = place;
  const broken = { ...two, sql: "CREATE TABLE half (); SELECT 1/0" };
  await assert.rejects(migrate(database, [one, broken, three]), {
    reason: "MIGRATION_FAILED",
    message: /2 \(customer\) failed: division by zero/,
  });
  assert.deepEqual(await database.query("SELECT to_regclass('half') AS half, to_regclass('orders')::text AS orders"), [
    { half: null, orders: "orders" },
  ]);
  assert.equal(await migrate(database, [one, two, three]), 2);
});

test("two sets of migrations have separate records", async () => {
  await using place = await open();
  await migrate(place.database, [one]);
  assert.equal(
    await migrate(place.database, [{ id: 1, name: "log", sql: "CREATE TABLE log ()" }], { table: "log_migrations" }),
    1,
  );
});

test("a duplicate id, or one that is not a whole number from 1, is a RangeError", async () => {
  await using place = await open();
  await assert.rejects(migrate(place.database, [one, { ...two, id: 1 }]), RangeError);
  await assert.rejects(migrate(place.database, [{ ...one, id: 0 }]), RangeError);
});

test("waiting for another migrator says which one, and ends with that at the deadline", async () => {
  await using place = await open();
  const { database } = place;
  const waiting =
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
  await database.session(async (session) => {
    await session.query("SELECT pg_advisory_lock(1)");
    const slow = migrate(database, [{ ...one, sql: "SELECT pg_advisory_xact_lock(1)" }]);
    await eventually("it migrates", async () => (await database.query(waiting)).length === 1);
    const waited: string[] = [];
    await assert.rejects(migrate(database, [one], { timeoutMs: 3_000, onWait: (holder) => waited.push(holder) }), {
      code: "deadline_exceeded",
      reason: "MIGRATION_WAITED",
      message:
        /^waited 3000 ms to migrate, because another migrator is at work: "test" from .*, process \d+ of the server/,
    });
    assert.equal(waited.length, 1);
    await session.query("SELECT pg_advisory_unlock(1)");
    assert.equal(await slow, 1);
  });
});

const byCustomer: Migration = {
  id: 3,
  name: "by_customer",
  sql: "CREATE INDEX CONCURRENTLY by_customer ON orders (customer) WHERE customer <> '';\n",
};

/** Returns the validity of the indexes of the table, without that of its key. */
async function indexes(database: Queryable) {
  return await database.query<{ name: string; valid: boolean }>(
    `SELECT indexrelid::regclass::text AS name, indisvalid AS valid FROM pg_index
     WHERE indrelid = 'orders'::regclass AND NOT indisprimary AND indexrelid <> 'orders_id_idx'::regclass`,
  );
}

const build = "CREATE INDEX CONCURRENTLY by_customer";

/** A transaction that has written the table: a build waits for its end. */
async function openWriting(url: string) {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(
    await openDatabase({ url, applicationName: "writer", idleInTransactionMs: 120_000 }, noTelemetry),
  );
  const wrote = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const writing = database.transaction(async (tx) => {
    await tx.query("INSERT INTO orders VALUES (0, 'a')");
    wrote.resolve();
    await end.promise;
  });
  writing.catch(wrote.reject);
  await wrote.promise;
  stack.defer(async () => {
    end.resolve();
    await writing;
  });
  return stack.move();
}

test("an index is built concurrently while its table is written", { timeout: 180_000 }, async () => {
  await using place = await open();
  const { database } = place;
  await migrate(database, [one, two]);
  await database.query("INSERT INTO orders SELECT n, 'a' FROM generate_series(1, 1000) AS n");
  let next = 1_000;
  const insert = async () => {
    next += 1;
    await database.query("INSERT INTO orders VALUES ($1, 'b')", [next], { signal: AbortSignal.timeout(60_000) });
  };
  const writing = await openWriting(place.url);
  const over = new AbortController();
  const building = migrate(database, [one, two, byCustomer]).finally(() => over.abort());
  building.catch(() => undefined);
  try {
    // The build waits for the transaction, and no writer waits for the build.
    await eventually("it builds", async () => (await running(database, build)) === 1, 60_000);
    for (let count = 0; count < 50; count++) await insert();
    assert.equal(await running(database, build), 1);
  } finally {
    await writing.disposeAsync();
  }
  const writer = async () => {
    while (!over.signal.aborted) await insert();
  };
  await Promise.all([building, writer(), writer()]);
  assert.equal(await building, 1);
  assert.deepEqual(await indexes(database), [{ name: "by_customer", valid: true }]);
  const [row] = await database.query<{ count: bigint }>("SELECT count(*) FROM orders WHERE customer <> ''");
  assert.equal(row?.count, BigInt(next + 1));
  assert.equal(await migrate(database, [one, two, byCustomer]), 0);
});

test("an index that a killed migrator left behind is built again", { timeout: 180_000 }, async () => {
  await using place = await open();
  const { database } = place;
  await migrate(database, [one, two]);
  const kill = `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE '${build}%' AND pid <> pg_backend_pid()`;
  {
    await using _writing = await openWriting(place.url);
    const building = migrate(database, [one, two, byCustomer]);
    building.catch(() => undefined);
    await eventually("it builds", async () => (await running(database, build)) === 1, 60_000);
    await database.query(kill);
    await assert.rejects(building, { code: "unavailable" });
  }
  assert.deepEqual(await indexes(database), [{ name: "by_customer", valid: false }]);
  assert.equal(await migrate(database, [one, two, byCustomer]), 1);
  assert.deepEqual(await indexes(database), [{ name: "by_customer", valid: true }]);
});

test("an index of which no record was made is built again, as the migration has it", async () => {
  await using place = await open();
  const { database } = place;
  await migrate(database, [one, two]);
  await database.query("CREATE INDEX by_customer ON orders (customer)");
  assert.equal(await migrate(database, [one, two, byCustomer]), 1);
  const [row] = await database.query<{ definition: string }>(
    "SELECT pg_get_indexdef('by_customer'::regclass) AS definition",
  );
  assert.match(row?.definition ?? "", /WHERE \(customer <> ''/);
});

test("an index that cannot be unique fails by name, leaves nothing behind, and can be tried again", async () => {
  await using place = await open();
  const { database } = place;
  await migrate(database, [one, two]);
  await database.query("INSERT INTO orders VALUES (1, 'a'), (2, 'a')");
  const unique = { ...byCustomer, sql: byCustomer.sql.replace("INDEX", "UNIQUE INDEX") };
  await assert.rejects(migrate(database, [one, two, unique]), {
    reason: "MIGRATION_FAILED",
    message: /3 \(by_customer\) failed: could not create unique index/,
  });
  assert.deepEqual(await indexes(database), []);
  await database.query("UPDATE orders SET customer = 'b' WHERE id = 2");
  assert.equal(await migrate(database, [one, two, unique]), 1);
  assert.deepEqual(await indexes(database), [{ name: "by_customer", valid: true }]);
});

test("an index has a time of its own, after which its build ends", { timeout: 180_000 }, async () => {
  await using place = await open();
  const { database } = place;
  await migrate(database, [one, two]);
  {
    await using _writing = await openWriting(place.url);
    const options = { timeoutMs: 600_000, indexTimeoutMs: 500 };
    await assert.rejects(migrate(database, [one, two, byCustomer], options), { name: "TimeoutError" });
    await eventually("the server ends it", async () => (await running(database, build)) === 0, 60_000);
  }
  assert.equal(await migrate(database, [one, two, byCustomer]), 1);
});

test("an index that is built concurrently beside other statements is refused with the remedy", async () => {
  await using place = await open();
  const both = { ...byCustomer, sql: `${byCustomer.sql}${byCustomer.sql}` };
  await assert.rejects(migrate(place.database, [one, two, both]), {
    reason: "MIGRATION_FAILED",
    message: /cannot run inside a transaction block: write it as CREATE INDEX CONCURRENTLY name ON table, alone/,
  });
});

test("a database that lacks a migration is refused with the remedy, and one that is ahead is accepted", async () => {
  await using place = await open();
  const { database } = place;
  await assert.rejects(requireMigrated(database, [one]), /lacks migration 1 \(orders\).*with the argument "migrate"/);
  await migrate(database, [one]);
  await assert.rejects(requireMigrated(database, [one, two, three]), /lacks migration 2 \(customer\), 3 \(total\)/);
  await migrate(database, [one, two, three]);
  await requireMigrated(database, [one, two, three]);
  await requireMigrated(database, [one]);
});
