/** One control plane and many clients, each in a process of its own: time and memory. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { eventually, freePort } from "@plumbline/tools-engines";
import { startProcess } from "./process.ts";

const streams = 100;
const clusters = 100;
const changes = 5;

/** A document of many clusters, all of which change with the round, and a rule for each. */
const documentOf = (round: number) =>
  JSON.stringify({
    listeners: { main: { port: 10_000, routes: "main" } },
    clusters: Object.fromEntries(
      Array.from({ length: clusters }, (_, i) => {
        const endpoints = Array.from({ length: 10 }, (_, j) => `10.0.${i}.${j}:8080`);
        return [`cluster-${i}`, { endpoints, connectTimeoutMs: 1_000 + round }];
      }),
    ),
    routes: {
      main: [
        {
          rules: Array.from({ length: clusters }, (_, i) => ({
            prefix: `/${i}/`,
            to: `cluster-${i}`,
            timeoutMs: 1_000 + round,
          })),
        },
      ],
    },
  });

/** Returns the resident memory of a process in MiB: now, or the most that it ever was. */
function memory(pid: number | undefined, line: "VmRSS" | "VmHWM"): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`^${line}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 1_024);
}

test(`a change of ${clusters} clusters reaches ${streams} streams, and memory is bounded`, {
  skip: process.platform === "linux" ? false : "reads /proc",
  timeout: 240_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "many-streams-"));
  try {
    const file = join(folder, "routes.yaml");
    writeFileSync(file, documentOf(0));
    const port = await freePort();
    await using controlPlane = startProcess(port, { CONTROL_PLANE_ROUTES_FILE: file });
    await controlPlane.logged("control-plane is listening");
    const { pid } = controlPlane.child;
    const clients = spawn(
      process.execPath,
      ["-C", "source", join(import.meta.dirname, "many-clients.ts"), String(port), String(streams)],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const exited = once(clients, "exit");
    try {
      const lines: number[] = [];
      createInterface({ input: clients.stdout }).on("line", () => lines.push(performance.now()));
      const arrived = (count: number) =>
        eventually(
          () => lines,
          ({ length }) => length >= count,
          60_000,
        );
      await arrived(1);
      const atRest = memory(pid, "VmRSS");
      const times: number[] = [];
      for (let round = 1; round <= changes; round += 1) {
        const start = performance.now();
        writeFileSync(file, documentOf(round));
        await arrived(round + 1);
        times.push(Math.round(Number(lines.at(-1)) - start));
      }
      const most = memory(pid, "VmHWM");
      console.log(`${streams} streams: ${times.join(", ")} ms from file to all; ${atRest} MiB, at most ${most} MiB`);
      assert.ok(most < 400, `${most} MiB`);
    } finally {
      clients.kill("SIGKILL");
      await exited;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
