import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "pg";
import { ask, eventually, isAlive, isRoot, startChild, temporaryFolder } from "../test/support.ts";
import { createDatabase, freePort, startPostgres } from "./index.ts";

const settings = { fsync: false };

test("a server keeps its data from one start to the next", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "deep", "data"), port: await freePort(), settings };
  {
    await using server = await startPostgres(options);
    await ask(server.url, "CREATE TABLE t AS SELECT 1 AS a");
    assert.ok(isAlive(server.pid));
  }
  await using server = await startPostgres(options);
  assert.deepEqual(await ask(server.url, "SELECT a FROM t"), [{ a: 1 }]);
});

test("a server ends when its parent is killed with SIGKILL, and its folder recovers", async () => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, "data");
  const port = await freePort();
  await using first = await startChild(["server", dataDir, String(port)]);
  const { url = "", pid = 0 } = first.said;
  await ask(url, "CREATE TABLE t AS SELECT 1 AS a");
  // The first one is slow to notice that its parent is gone, as on a busy machine.
  process.kill(pid, "SIGSTOP");
  setTimeout(() => process.kill(pid, "SIGCONT"), 2000);
  first.child.kill("SIGKILL");
  await using server = await startPostgres({ dataDir, port, settings });
  assert.ok(!isAlive(pid));
  assert.deepEqual(await ask(server.url, "SELECT a FROM t"), [{ a: 1 }]);
});

test("a folder whose server was killed with SIGKILL recovers, with every committed row", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "data"), port: await freePort() };
  const killed = await startPostgres(options);
  await ask(killed.url, "CREATE TABLE t AS SELECT 1 AS a");
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;
  await using server = await startPostgres(options);
  assert.deepEqual(await ask(server.url, "SELECT a FROM t"), [{ a: 1 }]);
});

test("a lock file whose process number now belongs to another program does not prevent a start", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "data"), port: await freePort(), settings };
  const killed = await startPostgres(options);
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;
  // With the same user, or PostgreSQL itself knows that it cannot be a server of this folder.
  const { uid, gid } = await stat(options.dataDir);
  const other = spawn("sleep", ["60"], isRoot ? { uid, gid } : {});
  try {
    const lock = join(options.dataDir, "postmaster.pid");
    const lines = (await readFile(lock, "utf8")).split("\n");
    await writeFile(lock, [other.pid, ...lines.slice(1)].join("\n"));
    await using server = await startPostgres(options);
    assert.deepEqual(await ask(server.url, "SELECT 1 AS a"), [{ a: 1 }]);
  } finally {
    other.kill();
  }
});

test("a port in use is reported with its number, and nothing is lost", async () => {
  await using folder = await temporaryFolder();
  const squatter = createServer();
  await new Promise<void>((listening) => squatter.listen(0, "127.0.0.1", listening));
  const address = squatter.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const dataDir = join(folder.path, "data");
  await assert.rejects(startPostgres({ dataDir, port, settings }), {
    code: "port_taken",
    message: new RegExp(`Port ${port} `),
  });
  squatter.close();
  await using server = await startPostgres({ dataDir, port: await freePort(), settings });
  assert.ok(server.pid > 0);
});

test("a second server on the same folder is refused, and the error names the first", async () => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, "data");
  await using server = await startPostgres({ dataDir, port: await freePort(), settings });
  await assert.rejects(startPostgres({ dataDir, port: await freePort(), settings }), {
    code: "folder_in_use",
    message: new RegExp(`process ${server.pid}, port ${server.port}`),
  });
  assert.deepEqual(await ask(server.url, "SELECT 1 AS a"), [{ a: 1 }]);
});

for (const { name, files, code, message } of [
  {
    name: "a folder of an interrupted initdb is refused, and the error says to delete it",
    files: { PG_VERSION: "18\n", "postgresql.conf": "" },
    code: "folder_unfinished",
    message: /half written.*Delete it/,
  },
  {
    name: "a folder of an initdb that was interrupted at its start is refused",
    files: { PG_VERSION: "" },
    code: "folder_unfinished",
    message: /half written/,
  },
  {
    name: "a folder with other files in it is refused, and not changed",
    files: { "thesis.txt": "irreplaceable" },
    code: "folder_unfinished",
    message: /is no PostgreSQL data folder. Nothing was changed/,
  },
  {
    name: "a folder of another PostgreSQL is refused, with both versions",
    files: { PG_VERSION: "16\n", "postgresql.conf": "", "global/pg_control": "", "base/5/PG_VERSION": "16" },
    code: "folder_other_version",
    message: /PostgreSQL 16, and this is 18/,
  },
]) {
  test(name, async () => {
    await using folder = await temporaryFolder();
    for (const [file, text] of Object.entries(files)) {
      await mkdir(join(folder.path, "data", file, ".."), { recursive: true });
      await writeFile(join(folder.path, "data", file), text);
    }
    const before = await readdir(join(folder.path, "data"), { recursive: true });
    const starting = startPostgres({ dataDir: join(folder.path, "data"), port: await freePort() });
    await assert.rejects(starting, { name: "EngineError", code, message });
    assert.deepEqual(await readdir(join(folder.path, "data"), { recursive: true }), before);
  });
}

test("a start that is killed while it creates the folder leaves no folder", async () => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, "data");
  const port = await freePort();
  const starting = startChild(["server", dataDir, String(port)]).then(
    (child) => void child.child.kill("SIGKILL"),
    () => undefined,
  );
  void starting;
  await eventually("initdb is at work", async () =>
    (await readdir(folder.path)).some((name) => name.startsWith("data.new-")),
  );
  assert.ok(!(await readdir(folder.path)).includes("data"));
  await starting;
  await using server = await startPostgres({ dataDir, port, settings });
  assert.deepEqual(await ask(server.url, "SELECT 1 AS a"), [{ a: 1 }]);
});

test("an existing empty folder is used", async () => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, "data");
  await mkdir(dataDir);
  await using server = await startPostgres({ dataDir, port: await freePort(), settings });
  assert.deepEqual(await ask(server.url, "SELECT 1 AS a"), [{ a: 1 }]);
});

test("a copied folder, whose files are open to others, still starts", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "data"), port: await freePort(), settings };
  await (await startPostgres(options))[Symbol.asyncDispose]();
  const copy = join(folder.path, "copy");
  await cp(options.dataDir, copy, { recursive: true });
  await using server = await startPostgres({ ...options, dataDir: copy });
  assert.deepEqual(await ask(server.url, "SELECT 1 AS a"), [{ a: 1 }]);
});

test("settings and log reach the server and the caller", async () => {
  await using folder = await temporaryFolder();
  const lines: string[] = [];
  const dataDir = join(folder.path, "data");
  const more = { ...settings, max_connections: 17 };
  await using server = await startPostgres({
    dataDir,
    port: await freePort(),
    settings: more,
    onLog: (line) => lines.push(line),
  });
  assert.deepEqual(await ask(server.url, "SHOW max_connections"), [{ max_connections: "17" }]);
  assert.ok(lines.some((line) => line.includes("ready to accept connections")));
});

test("a database that another program is creating for too long is an error that names that program", async () => {
  await using folder = await temporaryFolder();
  await using server = await startPostgres({ dataDir: folder.path, port: await freePort(), settings });
  const other = new Client({ connectionString: server.url, application_name: "other program" });
  await other.connect();
  await other.query("SELECT pg_advisory_lock(hashtextextended('plumbline.create-database', 0))");
  await assert.rejects(
    createDatabase(server.url, "orders", { owner: "orders", waitMs: 100 }),
    /^Error: waited 100 ms to create a database, .*: "other program", process \d+ of the server, .*Let it end, or end/,
  );
  await other.end();
  await createDatabase(server.url, "orders", { owner: "orders", waitMs: 10_000 });
});

test("the log of the server has no password of a role, also when the role exists", async () => {
  await using folder = await temporaryFolder();
  const log: string[] = [];
  const options = { dataDir: join(folder.path, "data"), port: await freePort(), settings };
  await using server = await startPostgres({ ...options, onLog: (line) => log.push(line) });
  const password = "a password to look for";
  for (let time = 0; time < 2; time++) await createDatabase(server.url, "orders", { owner: "orders", password });
  await eventually("the error is logged", async () =>
    log.some((line) => line.includes('role "orders" already exists')),
  );
  assert.deepEqual(
    log.filter((line) => line.includes(password)),
    [],
  );
});

test("each service's role reaches its own database, with its password, and no other", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "data"), port: await freePort(), settings, password: "s3cret/:@ ü" };
  await using server = await startPostgres(options);
  const make = async (name: string) => await createDatabase(server.url, name, { owner: name, password: `of ${name}` });
  const [orders] = await Promise.all([make("orders"), make("worker"), make("orders"), make("Odd name")]);
  assert.deepEqual(await ask(await make("orders"), "CREATE TABLE t (); SELECT 1").catch(String), undefined);
  const other = new URL(orders);
  other.pathname = "/worker";
  await assert.rejects(ask(other.href, "SELECT 1"), { code: "42501" });
  const guess = new URL(orders);
  guess.password = "guess";
  await assert.rejects(ask(guess.href, "SELECT 1"), { code: "28P01" });
  await assert.rejects(ask(orders, "CREATE ROLE more"), { code: "42501" });
  assert.deepEqual(await ask(await make("Odd name"), "SELECT current_user AS u, current_database() AS d"), [
    { u: "Odd name", d: "Odd name" },
  ]);
});

const withPassword = (url: string, password: string) => Object.assign(new URL(url), { password }).href;

test("a caller that chooses no password gets one, and no connection is made without it", async () => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, "data");
  await using server = await startPostgres({ dataDir, port: await freePort(), settings });
  for (const guess of ["", "postgres", "guess"]) {
    await assert.rejects(ask(withPassword(server.url, guess), "SELECT 1"), /password|28P01/i);
  }
  const orders = await createDatabase(server.url, "orders", { owner: "orders" });
  assert.deepEqual(await ask(orders, "SELECT current_user AS u"), [{ u: "orders" }]);
  await assert.rejects(ask(withPassword(orders, new URL(server.url).password), "SELECT 1"), { code: "28P01" });
  assert.equal((await stat(join(dataDir, "superuser-password"))).mode & 0o777, 0o600);
});

test("a folder that trusted every client of the machine gets a password, and keeps its data", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "data"), port: await freePort(), settings };
  {
    await using server = await startPostgres(options);
    await ask(server.url, "CREATE TABLE t AS SELECT 1 AS a");
    await ask(server.url, "ALTER ROLE postgres PASSWORD NULL");
  }
  const hba = join(options.dataDir, "pg_hba.conf");
  await writeFile(hba, (await readFile(hba, "utf8")).replaceAll("scram-sha-256", "trust"));
  await rm(join(options.dataDir, "superuser-password"));

  await using server = await startPostgres(options);
  assert.deepEqual(await ask(server.url, "SELECT a FROM t"), [{ a: 1 }]);
  await assert.rejects(ask(withPassword(server.url, ""), "SELECT 1"), /password/i);
});

test("a folder whose password only its user knows is refused, with what to do", async () => {
  await using folder = await temporaryFolder();
  const options = { dataDir: join(folder.path, "data"), port: await freePort(), settings };
  await (await startPostgres({ ...options, password: "known" }))[Symbol.asyncDispose]();
  await rm(join(options.dataDir, "superuser-password"));
  await assert.rejects(startPostgres(options), { code: "password_needed", message: /pass it as the option password/ });
  await using server = await startPostgres({ ...options, password: "known" });
  assert.deepEqual(await ask(server.url, "SELECT 1 AS a"), [{ a: 1 }]);
});
