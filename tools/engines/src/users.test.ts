import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ask, eventually, give, isAlive, isRoot, startChild, temporaryFolder, whyOutOfReach } from "../test/support.ts";
import { freePort } from "./free-ports.ts";

/** The user `daemon`, which every Linux has. */
const user = { uid: 1, gid: 1 };
const asUser = isRoot ? user : undefined;
const onlyRoot = isRoot ? false : "only root can become another user";
/** The tests of other users need a clone that those can enter. */
const outOfReach = whyOutOfReach(asUser);
const noNamespaces =
  spawnSync("unshare", ["-U", "--map-user=65534", "--map-group=65534", "true"]).status === 0
    ? false
    : "this system allows no user namespaces";

test("a normal user starts a server and a test database", { skip: outOfReach }, async () => {
  await using folder = await temporaryFolder();
  const environment = { TMPDIR: folder.path };
  await using server = await startChild(["server", join(folder.path, "data"), String(await freePort())], {
    user: asUser,
    environment,
  });
  assert.deepEqual(await ask(server.said.url ?? "", "SELECT 1 AS a"), [{ a: 1 }]);
  await using database = await startChild(["database-held"], { user: asUser, environment });
  assert.deepEqual(await ask(database.said.url ?? "", "SELECT 1 AS a"), [{ a: 1 }]);
});

test("a user id without a name starts a server", { skip: onlyRoot || outOfReach || noNamespaces }, async () => {
  await using folder = await temporaryFolder();
  const args = ["server", join(folder.path, "data"), String(await freePort())];
  await using server = await startChild(args, {
    user: { uid: 54_321, gid: 54_321 },
    environment: { TMPDIR: folder.path },
  });
  assert.deepEqual(await ask(server.said.url ?? "", "SELECT 1 AS a"), [{ a: 1 }]);
});

test("a folder that this user cannot write to is reported, with what to do", { skip: outOfReach }, async () => {
  await using folder = await temporaryFolder(isRoot ? 0o755 : 0o555);
  await using child = await startChild(["server", join(folder.path, "data"), String(await freePort())], {
    user: asUser,
  });
  assert.equal(child.said.code, "folder_unwritable");
  assert.match(child.said.error ?? "", /data folder .* cannot be made.*Choose another, or give its parent/);
});

test("a data folder of another user is reported, with what to do", { skip: onlyRoot || outOfReach }, async () => {
  await using folder = await temporaryFolder();
  const args = [join(folder.path, "data"), String(await freePort())];
  await using _made = await startChild(["server-once", ...args]);
  await _made.ended;
  await using child = await startChild(["server", ...args], { user });
  assert.equal(child.said.code, "folder_unwritable");
  assert.match(child.said.error ?? "", /Give it to/);
});

test("root runs the server as the owner of the parent folder, so that the owner can open it later", {
  skip: onlyRoot || outOfReach,
}, async () => {
  await using folder = await temporaryFolder();
  await give(folder.path, user);
  const args = [join(folder.path, "data"), String(await freePort())];
  await using byRoot = await startChild(["server-once", ...args]);
  await byRoot.ended;
  assert.equal((await stat(args[0] ?? "")).uid, user.uid);
  await using byUser = await startChild(["server", ...args], { user });
  assert.deepEqual(await ask(byUser.said.url ?? "", "SELECT 1 AS a"), [{ a: 1 }]);
});

test("root can keep the data in a folder that only root may enter, across restarts and a SIGKILL", {
  skip: onlyRoot || noNamespaces,
}, async () => {
  await using folder = await temporaryFolder(0o700);
  const environment = { TMPDIR: folder.path };
  const args = ["server", join(folder.path, "data"), String(await freePort())];
  await using first = await startChild(args, { environment });
  await ask(first.said.url ?? "", "CREATE TABLE t AS SELECT 1 AS a");
  first.child.kill("SIGKILL");
  await eventually("its server ends", () => !isAlive(first.said.pid));
  await using second = await startChild(args, { environment });
  assert.deepEqual(await ask(second.said.url ?? "", "SELECT a FROM t"), [{ a: 1 }]);
  await using database = await startChild(["database-held"], { environment });
  assert.deepEqual(await ask(database.said.url ?? "", "SELECT 1 AS a"), [{ a: 1 }]);
});

test("root can keep using a data folder after its parent was closed to others, and opened again", {
  skip: onlyRoot || noNamespaces,
}, async () => {
  await using folder = await temporaryFolder();
  const outer = join(folder.path, "outer");
  await mkdir(outer);
  const args = ["server-once", join(outer, "data"), String(await freePort())];
  for (const mode of [0o755, 0o700, 0o755]) {
    await chmod(outer, mode);
    await using child = await startChild(args);
    assert.equal(child.said.error, undefined);
    await child.ended;
  }
});
