import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ApiKeys, DenyList, TokenError } from "@plumbline/auth";
import { readCommand, UsageError } from "../command/index.ts";
import { run, spec } from "./commands.ts";
import { readKeys } from "./keys-file.ts";

const now = Date.parse("2026-11-29T12:00:00Z");

/** A folder for a file of keys, and the commands on it. */
function open() {
  const folder = mkdtempSync(join(tmpdir(), "keys-"));
  const path = join(folder, "new", "api-keys.json");
  const printed: string[] = [];
  const warned: string[] = [];
  let time = now;
  const output = { print: (text: string) => void printed.push(text), warn: (text: string) => void warned.push(text) };
  return {
    path,
    folder: join(folder, "new"),
    printed,
    warned,
    keys: async (...args: string[]): Promise<number> => {
      const line = readCommand(spec, [...args, "--file", path]) ?? assert.fail("help");
      return await run(line, output, time);
    },
    at: (ms: number) => void (time = ms),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

test("new prints a key that the file's entry takes, and the file has its digest only", async () => {
  using it = open();
  assert.equal(
    await it.keys("new", "--subject", "ada", "--scopes", " orders:read  orders:write", "--days", "7", "--note", "CI"),
    0,
  );
  const [key = "", ...more] = it.printed;
  assert.deepEqual(more, []);
  const [entry, ...others] = await readKeys(it.path);
  assert.deepEqual(others, []);
  assert.deepEqual(entry, {
    id: key.slice(4, 15),
    digest: createHash("sha256").update(key).digest("hex"),
    subject: "ada",
    scopes: ["orders:read", "orders:write"],
    created: "2026-11-29T12:00:00.000Z",
    until: "2026-12-06T12:00:00.000Z",
    note: "CI",
  });
  const clock = { wallMs: () => now, elapsedMs: () => 0, sleep: async () => {} };
  const apiKeys = new ApiKeys({ denied: new DenyList(), clock });
  apiKeys.replace([entry ?? assert.fail("no entry")]);
  const found = apiKeys.find(key);
  assert.ok(!(found instanceof TokenError));
  assert.equal(found.subject, "ada");
  for (const text of [readFileSync(it.path, "utf8"), ...it.warned]) assert.ok(!text.includes(key.slice(16, 40)));
  assert.match(it.warned.join(), new RegExp(`^${entry?.id} ends at 2026-12-06T12:00:00.000Z; `));
});

test("the file is its owner's, and nothing else is left beside it", async () => {
  using it = open();
  for (const days of ["1", "90"]) await it.keys("new", "--subject", "ada", "--scopes", "orders:read", "--days", days);
  assert.equal(statSync(it.path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(it.folder), ["api-keys.json"]);
  assert.equal((await readKeys(it.path)).length, 2);
});

test("list shows the keys by their end, without digests", async () => {
  using it = open();
  await it.keys("new", "--subject", "bob", "--scopes", "orders:read", "--note", "later");
  it.at(now - 86_399_999);
  await it.keys("new", "--subject", "ada", "--scopes", "orders:read orders:write", "--days", "1");
  it.at(now - 86_400_000);
  await it.keys("new", "--subject", "eve", "--scopes", "orders:read", "--days", "1");
  it.at(now);
  const [bob, ada, eve] = it.printed.splice(0).map((key) => key.slice(4, 15));
  assert.equal(await it.keys("list"), 0);
  assert.deepEqual(it.printed, [
    "ID           SUBJECT  SCOPES                    UNTIL                     DAYS   NOTE",
    `${eve}  eve      orders:read               2026-11-29T12:00:00.000Z  ended`,
    `${ada}  ada      orders:read orders:write  2026-11-29T12:00:00.001Z  1`,
    `${bob}  bob      orders:read               2027-02-27T12:00:00.000Z  90     later`,
  ]);
});

test("revoke removes the key alone, by its id or as the audit log has it, and fails for another id", async () => {
  using it = open();
  for (const subject of ["ada", "bob", "eve"]) await it.keys("new", "--subject", subject, "--scopes", "orders:read");
  const [ada = "", bob = ""] = it.printed.map((key) => key.slice(4, 15));
  const subjects = async () => (await readKeys(it.path)).map(({ subject }) => subject);
  assert.equal(await it.keys("revoke", ada), 0);
  assert.deepEqual(await subjects(), ["bob", "eve"]);
  assert.equal(await it.keys("revoke", ada), 1);
  assert.match(it.warned.at(-1) ?? "", /has no key with this id: npm run keys -- list/);
  assert.equal(await it.keys("revoke", `plk_${bob}`), 0);
  assert.deepEqual(await subjects(), ["eve"]);
});

test("the last key may be revoked: the file stays, and has none", async () => {
  using it = open();
  await it.keys("new", "--subject", "ada", "--scopes", "orders:read");
  await it.keys("revoke", it.printed[0]?.slice(4, 15) ?? "");
  assert.deepEqual(await readKeys(it.path), []);
});

for (const [args, says] of [
  [["new", "--subject", "ada"], "new needs --subject and --scopes"],
  [["new", "--scopes", "orders:read"], "new needs --subject and --scopes"],
  [["new", "--subject", "s".repeat(65), "--scopes", "a"], "--subject: expected 1 to 64 characters, none of"],
  [["new", "--subject", "ada", "--scopes", ' " '], "--scopes: expected a scope such as orders:read"],
  [["new", "--subject", "ada", "--scopes", " "], "--scopes: expected at least one scope"],
  [["new", "--subject", "ada", "--scopes", "a", "--note", "\u001b[2J"], "--note: expected a text without control"],
  [["new", "--subject", "ada", "--scopes", "a", "--days", "367"], "--days takes a whole number from 1 to 366"],
  [["new", "plk", "--subject", "ada", "--scopes", "a"], "the command is new, list, or revoke with one id"],
  [["list", "all"], "the command is new, list, or revoke with one id"],
  [["list", "--subject", "ada"], "--subject, --scopes and --note belong to new"],
  [["revoke"], "the command is new, list, or revoke with one id"],
  [[], "the command is new, list, or revoke with one id"],
] as const) {
  test(`${JSON.stringify(args)}: ${says}`, async () => {
    using it = open();
    await assert.rejects(it.keys(...args), (error) => error instanceof UsageError && error.message.startsWith(says));
    assert.ok(!existsSync(it.path));
  });
}

test("a file that is wrong is not changed, and its field is named", async () => {
  using it = open();
  await it.keys("new", "--subject", "ada", "--scopes", "orders:read");
  const wrong = readFileSync(it.path, "utf8").replace("until", "untill");
  writeFileSync(it.path, wrong);
  const again = () => it.keys("new", "--subject", "ada", "--scopes", "orders:read");
  await assert.rejects(again, { name: "ConfigError", message: /keys\.0\.until/ });
  assert.deepEqual([readFileSync(it.path, "utf8"), readdirSync(it.folder)], [wrong, ["api-keys.json"]]);
  assert.equal(it.printed.length, 1);
});

test("a change beside another one is refused, and loses nothing", async () => {
  using it = open();
  const subjects = ["ada", "bob", "eve"];
  const done = await Promise.allSettled(
    subjects.map((subject) => it.keys("new", "--subject", subject, "--scopes", "orders:read")),
  );
  const made = subjects.filter((_, at) => done[at]?.status === "fulfilled");
  assert.ok(made.length >= 1);
  assert.deepEqual((await readKeys(it.path)).map(({ subject }) => subject).toSorted(), made);
  writeFileSync(`${it.path}.new`, "");
  await assert.rejects(it.keys("revoke", "x"), /api-keys\.json\.new exists: another change is being written/);
  assert.ok(existsSync(`${it.path}.new`));
});

test("a file of 1,000 keys takes no more", async () => {
  using it = open();
  await it.keys("new", "--subject", "ada", "--scopes", "orders:read");
  const [entry] = await readKeys(it.path);
  const keys = Array.from({ length: 1_000 }, (_, at) => ({ ...entry, id: `k${String(at).padStart(10, "0")}` }));
  writeFileSync(it.path, JSON.stringify({ keys }));
  await assert.rejects(
    it.keys("new", "--subject", "ada", "--scopes", "orders:read"),
    /1000 keys, the most: revoke one/,
  );
  assert.equal(it.printed.length, 1);
});

test("the command prints the key alone on stdout", () => {
  using it = open();
  const main = join(import.meta.dirname, "main.ts");
  const args = ["-C", "source", main, "new", "--subject", "ada", "--scopes", "orders:read", "--file", it.path];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^plk_[0-9A-Za-z]{11}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\n$/);
});
