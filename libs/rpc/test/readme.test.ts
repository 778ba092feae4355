/**
 * Checks that the program in the README runs unchanged and prints the right text, and that the
 * README names every metric.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const programs = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program ?? "");

test("the smallest complete program of the README runs", () => {
  assert.equal(programs.length, 1);
  const flags = ["-C", "source", "--input-type=module-typescript", "-"];
  const [input = ""] = programs;
  const ran = spawnSync(process.execPath, flags, {
    cwd: root,
    input,
    env: { ...process.env, FORCE_COLOR: "0" },
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.deepEqual([ran.stderr, ran.status], ["", 0]);
  assert.equal(ran.stdout, "{ message: 'Hello Ada' }\ninvalid_argument whom?\n");
});

test("every metric is in the README, and every metric of the README is in the code", () => {
  const folder = new URL("src/", root);
  const source = globSync("**/*.ts", { cwd: folder.pathname })
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .join("\n");
  const named = [...source.matchAll(/`rpc_\$\{side\}_(\w+)`/g)].map(([, name]) => name);
  const made = named.flatMap((name) => [`rpc_server_${name}`, `rpc_client_${name}`]);
  for (const [, name] of source.matchAll(/"(rpc_\w+)"/g)) made.push(name ?? "");
  const documented = [...readme.matchAll(/`(rpc_\w+)\{/g)].map(([, name]) => name);
  assert.deepEqual(documented.toSorted(), made.toSorted());
});
