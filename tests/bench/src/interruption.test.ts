import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sleep } from "@plumbline/concurrency";
import { eventually } from "@plumbline/tools-engines";

const skip = process.platform === "linux" ? false : "it finds processes in /proc";

test("an interrupted bench ends the services that it started", { skip }, async (t) => {
  const main = join(import.meta.dirname, "main.ts");
  const bench = spawn(process.execPath, ["-C", "source", main, "allocations"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(bench, "exit");
  let services: number[] = [];
  t.after(() => {
    bench.kill("SIGKILL");
    for (const pid of services) if (isService(pid)) process.kill(pid, "SIGKILL");
  });
  let said = "";
  bench.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  services = await eventually(
    async () => {
      await sleep(100);
      return childrenOf(bench.pid ?? 0).filter(isService);
    },
    ({ length }) => length === 2, // Greeter and gateway.
    120_000,
  );

  bench.kill("SIGTERM");
  assert.deepEqual(await ended, [130, null], said);
  await eventually(
    () => services.filter(isService),
    (running) => running.length === 0,
  );
});

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => new RegExp(`^PPid:\\t${parent}$`, "m").test(read(pid, "status")));
}

function isService(pid: number): boolean {
  return /apps\/\w+\/src\/main\.ts/.test(read(pid, "cmdline"));
}

/** Returns nothing for a process that has gone. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
