import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { folder } from "../test/folder.ts";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const [first, second] = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? "");

function run(program: string | undefined, env: Record<string, string>) {
  assert.ok(program);
  return spawnSync(process.execPath, ["-C", "source", "--input-type=module-typescript", "-"], {
    cwd: root,
    input: program,
    encoding: "utf8",
    timeout: 30_000,
    // Nx and a terminal ask for colour, which the child would print.
    env: { ...process.env, FORCE_COLOR: undefined, ...env },
  });
}

test("the first program of the README prints what its comment says", () => {
  const { status, stdout, stderr } = run(first, { ORDERS_DATABASE_URL: "postgres://hunter2" });
  assert.equal(status, 0, stderr);
  const [, comment] = /console\.log\(config\); \/\/ (.*)/.exec(first ?? "") ?? [];
  assert.equal(stdout.replace(/\s+/g, " ").trim(), comment);
});

test("with the mistakes of the README it says what the README says", () => {
  using dir = folder();
  mkdirSync(dir.at("config"));
  writeFileSync(dir.at("config/orders.yaml"), "http:\n  prot: 80\n");
  const program = first?.replace('"config/orders.yaml"', JSON.stringify(dir.at("config/orders.yaml")));
  const { status, stderr } = run(program, { ORDERS_DATABASE_POOL_SIZE: "1000" });
  assert.equal(status, 1);
  const [, said] = /^```text\n(.*?)^```$/ms.exec(readme) ?? [];
  assert.ok(said);
  assert.ok(stderr.replaceAll(`${dir.path}/`, "").includes(said.trim()), stderr);
});

test("the second program of the README watches and ends", () => {
  const { status, stdout, stderr } = run(second, {});
  assert.deepEqual([status, stdout, stderr], [0, "100 requests a second\n", ""]);
});
