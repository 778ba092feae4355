import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Logger, noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { freePort, type PostgresServer, startPostgres } from "@plumbline/tools-engines";
import { cut, eventually } from "../test/support.ts";
import { type Database, type DatabaseOptions, openDatabase, sqlStateOf } from "./index.ts";

/** A server that asks every role for its password. */
let server: PostgresServer;
let folder: string;
let admin: Database;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "plumbline-rotation-"));
  const dataDir = join(folder, "data");
  server = await startPostgres({ dataDir, port: await freePort(), password: "root", settings: { fsync: false } });
  admin = await openDatabase({ url: server.url, applicationName: "admin", poolSize: 2 }, noTelemetry);
});

after(async () => {
  await admin[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true, maxRetries: 20 });
});

let roles = 0;

/** Creates two roles, and opens a database whose URL the test changes. */
async function open(options: Partial<DatabaseOptions> = {}) {
  const lines: { readonly message: string; readonly fields: unknown }[] = [];
  const counted: unknown[] = [];
  const log = (message: string, fields: unknown): void => void lines.push({ message, fields });
  const logger: Logger = { ...noTelemetry.logger, info: log, warn: log, child: () => logger };
  const telemetry: Telemetry = {
    ...noTelemetry,
    logger,
    metrics: { ...noTelemetry.metrics, counter: () => ({ inc: (labels) => void counted.push(labels) }) },
  };
  const [a, b] = [`role_${++roles}`, `role_${++roles}`] as const;
  for (const role of [a, b]) await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret-${role}'`);
  const urlOf = (role: string, password = `secret-${role}`): string => {
    const url = new URL(server.url);
    url.username = role;
    url.password = password;
    return url.href;
  };
  let url = urlOf(a);
  let onReload = (): void => {};
  let reloads = 0;
  const followed = {
    current: () => url,
    reload: async () => {
      reloads++;
      onReload();
    },
  };
  const database = await openDatabase({ url: followed, applicationName: a, ...options }, telemetry);
  return {
    a,
    b,
    database,
    lines,
    counted,
    reloads: () => reloads,
    use: (role: string, password?: string) => void (url = urlOf(role, password)),
    onReload: (change: () => void) => void (onReload = change),
    /** Returns the roles of the connections of this database. */
    roles: async () =>
      (
        await admin.query<{ role: string }>(
          "SELECT usename AS role FROM pg_stat_activity WHERE application_name = $1",
          [a],
        )
      ).map(({ role }) => role),
    [Symbol.asyncDispose]: async () => await database[Symbol.asyncDispose](),
  };
}

const whoAmI = async (database: Pick<Database, "query">): Promise<string | undefined> =>
  (await database.query<{ role: string }>("SELECT current_user::text AS role"))[0]?.role;

test("idle connections of the old role are closed, and new ones log in as the new role", async () => {
  await using place = await open({ poolSize: 3 });
  await Promise.all([1, 2, 3].map(() => place.database.query("SELECT pg_sleep(0.05)")));
  assert.deepEqual(await place.roles(), [place.a, place.a, place.a]);
  place.use(place.b);
  await eventually("the old connections are closed", async () => (await place.roles()).length === 0);
  assert.equal(await whoAmI(place.database), place.b);
  assert.deepEqual(place.lines, [
    { message: "database credentials changed", fields: { db: "postgres", role: place.b } },
  ]);
  assert.deepEqual(place.counted, [{ db: "postgres" }]);
  assert.doesNotMatch(JSON.stringify(place.lines), /secret-/);
});

test("a connection in use is closed when it comes back, not before", async () => {
  await using place = await open({ poolSize: 1 });
  const role = await place.database.transaction(async (tx) => {
    const [first] = await tx.query<{ role: string }>("SELECT current_user::text AS role");
    place.use(place.b);
    await eventually("the change is seen", () => place.lines.length > 0);
    assert.deepEqual(await place.roles(), [place.a]);
    await tx.query("SELECT 1");
    return first?.role;
  });
  assert.equal(role, place.a);
  await eventually("it is closed", async () => (await place.roles()).length === 0);
  assert.equal(await whoAmI(place.database), place.b);
});

test("there are never more connections than the size of the pool while the role changes under load", async () => {
  await using place = await open({ poolSize: 3 });
  const stop = new AbortController();
  let most = 0;
  const load = Array.from({ length: 6 }, async () => {
    while (!stop.signal.aborted) await place.database.query("SELECT pg_sleep(0.001)");
  });
  for (const role of [place.b, place.a, place.b, place.a, place.b]) {
    place.use(role);
    await eventually(`only ${role} is connected`, async () => {
      const roles = await place.roles();
      most = Math.max(most, roles.length);
      return roles.length > 0 && roles.every((one) => one === role);
    });
  }
  stop.abort();
  await Promise.all(load);
  assert.ok(most <= 3, `${most} connections`);
  assert.equal(place.counted.length, 5);
});

test("a refused password is read again, and the login is tried once more", async () => {
  await using place = await open({ poolSize: 1 });
  await admin.query(`ALTER ROLE ${place.a} PASSWORD 'second'`);
  place.onReload(() => place.use(place.a, "second"));
  await cut(admin, place.a, place.database);
  assert.equal(await whoAmI(place.database), place.a);
  assert.equal(place.reloads(), 1);
});

test("a role that may no longer log in is read again, too", async () => {
  await using place = await open({ poolSize: 1 });
  await admin.query(`ALTER ROLE ${place.a} NOLOGIN`);
  place.onReload(() => place.use(place.b));
  await cut(admin, place.a, place.database);
  assert.equal(await whoAmI(place.database), place.b);
});

test("a refused login without a new password is unavailable, and is not read again for each caller", async () => {
  await using place = await open({ poolSize: 4 });
  place.use(place.a, "wrong");
  await eventually("the old connections are closed", async () => (await place.roles()).length === 0);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => place.database.query("SELECT 1").catch((error: unknown) => error)),
  );
  for (const outcome of outcomes) {
    assert.ok(outcome instanceof Error);
    assert.equal(sqlStateOf(outcome), "28P01");
    assert.match(outcome.message, /refused the login of role "role_\d+"/);
    assert.doesNotMatch(`${outcome.stack} ${outcome.cause}`, /wrong|secret-/);
  }
  assert.ok(place.reloads() <= 2, `${place.reloads()} readings`);
  place.use(place.b);
  assert.equal(await whoAmI(place.database), place.b);
});

test("a wrong password at the start fails at once, with the reason", async () => {
  const url = new URL(server.url);
  url.password = "wrong";
  const start = performance.now();
  await assert.rejects(openDatabase({ url: url.href, applicationName: "x" }, noTelemetry), {
    code: "failed_precondition",
    message: /cannot open database "postgres" at 127.0.0.1:\d+: .*password authentication failed/,
  });
  assert.ok(performance.now() - start < 4_000);
});

test("listeners get a notification or missed while the listening connection changes its role", async () => {
  await using place = await open();
  await using listener = await place.database.listen("news");
  const arrived = listener[Symbol.asyncIterator]();
  place.use(place.b);
  await eventually("the listening connection is of the new role", async () => (await place.roles()).includes(place.b));
  assert.deepEqual((await arrived.next()).value, { payload: "", missed: true });
  await admin.query("SELECT pg_notify('news', 'after')");
  assert.deepEqual((await arrived.next()).value, { payload: "after", missed: false });
  assert.deepEqual(await place.roles(), [place.b]);
});

test("a session ends between its statements, and its lock is free for the next one", async () => {
  await using place = await open();
  const hold = async (until: (signal: AbortSignal) => Promise<unknown>) =>
    await place.database.session(async (session) => {
      const [row] = await session.query<{ got: boolean }>("SELECT pg_try_advisory_lock(7) AS got");
      assert.equal(row?.got, true);
      const role = await whoAmI(session);
      await until(session.signal);
      return role;
    });
  const held = await hold(async (signal) => {
    place.use(place.b);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    assert.match(String(signal.reason), /the credentials changed/);
  });
  assert.equal(held, place.a);
  assert.equal(await hold(async () => undefined), place.b);
});

test("a session in a transaction ends after it", async () => {
  await using place = await open();
  await place.database.session(async (session) => {
    await session.transaction(async (tx) => {
      await tx.query("SELECT 1");
      place.use(place.b);
      await eventually("the change is seen", () => place.lines.length > 0);
      await tx.query("SELECT pg_sleep(1.5)");
      await tx.query("SELECT 1");
    });
    assert.ok(session.signal.aborted);
  });
});

test("a session that always has a statement waiting ends after the one that runs", async () => {
  await using place = await open();
  await place.database.session(async (session) => {
    async function load(): Promise<void> {
      for (let i = 0; i < 500; i++) await session.query("SELECT pg_sleep(0.01)");
    }
    const ended = Promise.all([load(), load()]);
    place.use(place.b);
    await assert.rejects(ended, { code: "unavailable", message: /the credentials changed/ });
  });
  assert.equal(await place.database.session(whoAmI), place.b);
});
