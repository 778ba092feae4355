import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ask, eventually, startChild, temporaryFolder } from "../test/support.ts";
import { findBinaries, libraryPath } from "./binaries.ts";
import { testDatabase } from "./index.ts";

const tables = "SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'public'";

test("each test database is new and empty, and is dropped at the end even with open connections", async () => {
  await using first = await testDatabase();
  const gone = await testDatabase();
  await ask(first.url, "CREATE TABLE t ()");
  assert.deepEqual(await ask(gone.url, tables), [{ n: 0 }]);
  const stuck = assert.rejects(ask(gone.url, "SELECT pg_sleep(60)"));
  const busy = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND datname = ";
  const name = new URL(gone.url).pathname.slice(1);
  await eventually("it is in use", async () => (await ask(first.url, `${busy}'${name}'`)).length > 0);
  await gone[Symbol.asyncDispose]();
  await stuck;
  assert.deepEqual(await ask(first.url, `SELECT 1 FROM pg_database WHERE datname = '${name}'`), []);
});

test("the server of TEST_POSTGRES_URL is used instead of an embedded one", async () => {
  await using database = await testDatabase();
  await using folder = await temporaryFolder();
  const environment = { TEST_POSTGRES_URL: database.url, TMPDIR: folder.path };
  await using child = await startChild(["database-held"], { environment });
  assert.equal(new URL(child.said.url ?? "").host, new URL(database.url).host);
  assert.deepEqual(await readdir(folder.path), []);
  const name = new URL(child.said.url ?? "").pathname.slice(1);
  await ask(database.url, `DROP DATABASE ${name}`);
});

for (const { name, mode } of [
  { name: "a process that has ended by itself leaves no server and no folder", mode: "database" },
  { name: "a process that was killed leaves no server and no folder", mode: "database-held" },
]) {
  test(name, async () => {
    await using folder = await temporaryFolder();
    await using child = await startChild([mode], { environment: { TMPDIR: folder.path } });
    const { url = "" } = child.said;
    if (mode === "database-held") child.child.kill("SIGKILL");
    assert.equal(await child.ended, mode === "database-held" ? "SIGKILL" : 0);
    await eventually(
      "the server is gone",
      async () =>
        await ask(url, "SELECT 1").then(
          () => false,
          () => true,
        ),
    );
    await eventually("its folder is gone", async () =>
      (await readdir(folder.path)).every((entry) => !entry.startsWith("plumbline-test-")),
    );
  });
}

test("processes that start together without a template all get a database", async () => {
  await using folder = await temporaryFolder();
  await using stack = new AsyncDisposableStack();
  const children = await Promise.all(
    Array.from({ length: 4 }, async () =>
      stack.use(await startChild(["database-held"], { environment: { TMPDIR: folder.path } })),
    ),
  );
  assert.equal(new Set(children.map((child) => child.said.url)).size, 4);
  for (const child of children) assert.deepEqual(await ask(child.said.url ?? "", tables), [{ n: 0 }]);
});

test("a template with missing files is made again", async () => {
  await using folder = await temporaryFolder();
  const environment = { TMPDIR: folder.path };
  {
    await using first = await startChild(["database"], { environment });
    await first.ended;
  }
  const cache = join(folder.path, (await readdir(folder.path)).find((entry) => /^plumbline-\d+$/.test(entry)) ?? "");
  const template = (await readdir(cache)).find((entry) => entry.startsWith("template-")) ?? "";
  execFileSync("rm", ["-r", join(cache, template, "base")]);
  await using second = await startChild(["database-held"], { environment });
  assert.deepEqual(await ask(second.said.url ?? "", tables), [{ n: 0 }]);
});

test("a cache folder of another user is not used", async () => {
  await using folder = await temporaryFolder();
  const planted = join(folder.path, `plumbline-${process.getuid?.()}`);
  await mkdir(planted);
  await chmod(planted, 0o777);
  await using child = await startChild(["database"], { environment: { TMPDIR: folder.path } });
  assert.equal(child.said.code, "folder_unwritable");
  assert.match(child.said.error ?? "", /belongs to another user/);
});

test("libraries whose short names npm could not install are found through links in the cache", async (t) => {
  await using folder = await temporaryFolder();
  const { postgres } = findBinaries();
  const from = dirname(dirname(postgres));
  const native = join(folder.path, "native");
  await mkdir(join(native, "lib"), { recursive: true });
  await cp(join(from, "bin"), join(native, "bin"), { recursive: true });
  for (const entry of await readdir(join(from, "lib"), { withFileTypes: true })) {
    if (entry.isFile()) await symlink(join(from, "lib", entry.name), join(native, "lib", entry.name));
  }
  await cp(join(from, "pg-symlinks.json"), join(native, "pg-symlinks.json"));
  const run = (environment: Record<string, string>): string =>
    execFileSync(join(native, "bin", "initdb"), ["--version"], { env: environment, encoding: "utf8", stdio: "pipe" });
  const { TMPDIR } = process.env;
  process.env["TMPDIR"] = folder.path; // The links are removed with the test.
  t.after(() => (TMPDIR === undefined ? delete process.env["TMPDIR"] : (process.env["TMPDIR"] = TMPDIR)));
  assert.throws(() => run({}), /libpq|shared libraries|not loaded/);
  assert.match(run(libraryPath(folder.path, "test")), /PostgreSQL/);
  await writeFile(join(native, "pg-symlinks.json"), "[]");
  assert.deepEqual(libraryPath(folder.path, "test"), {});
});
