import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { ControlGroup, whyNoControlGroups } from "./control-group.ts";

/** A stand-in for /sys/fs/cgroup with plain files. */
function mount(version: 1 | 2): string {
  const folder = mkdtempSync(join(tmpdir(), "cgroup-"));
  if (version === 2) writeFileSync(join(folder, "cgroup.controllers"), "cpu memory");
  else for (const controller of ["cpu", "memory"]) mkdirSync(join(folder, controller));
  return folder;
}

test("in version 2, the share of a core and the memory limit are written to one group, which the program enters first", () => {
  const folder = mount(2);
  const group = new ControlGroup({ cores: 0.4, memoryMiB: 192 }, folder);
  const [name = ""] = readdirSync(folder).filter((entry) => entry.startsWith("plumbline"));
  assert.equal(readFileSync(join(folder, name, "cpu.max"), "utf8"), "4000 10000");
  assert.equal(readFileSync(join(folder, name, "memory.max"), "utf8"), `${192 * 2 ** 20}`);
  assert.equal(readFileSync(join(folder, "cgroup.subtree_control"), "utf8"), "+cpu +memory");

  const { command, args } = group.holding({ command: "echo", args: ["a b", "c"], env: {}, port: 0 });
  assert.equal(execFileSync(command, args, { encoding: "utf8" }), "a b c\n");
  assert.match(readFileSync(join(folder, name, "cgroup.procs"), "utf8"), /^\d+\n$/);
  rmSync(folder, { recursive: true });
});

test("in version 1, each controller has a group of its own", () => {
  const folder = mount(1);
  void new ControlGroup({ cores: 0.5, memoryMiB: 64 }, folder);
  const [name = ""] = readdirSync(join(folder, "cpu"));
  assert.equal(readFileSync(join(folder, "cpu", name, "cpu.cfs_quota_us"), "utf8"), "5000");
  assert.equal(readFileSync(join(folder, "memory", name, "memory.limit_in_bytes"), "utf8"), `${64 * 2 ** 20}`);
  rmSync(folder, { recursive: true });
});

const why = whyNoControlGroups();

test("a process limited to a tenth of a core uses no more", { skip: why ?? false }, () => {
  const spin =
    "const end = performance.now() + 1000; while (performance.now() < end); console.log(process.cpuUsage().user)";
  using group = new ControlGroup({ cores: 0.1 });
  const { command, args } = group.holding({ command: process.execPath, args: ["-e", spin], env: {}, port: 0 });
  const micros = Number(execFileSync(command, args, { encoding: "utf8" }));
  assert.ok(micros < 300_000, `${micros} us of a second, and of the start`);
});
