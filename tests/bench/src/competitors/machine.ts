import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { canPin } from "./program.ts";

const pinning = canPin
  ? "measured processes pinned to one core, load generator and upstream to another"
  : "processes not pinned: no taskset, or one core";

/** Returns one line on the machine of a run and the cores of its processes. */
export function machineOf(placement = pinning): string {
  const [cpu] = cpus();
  const load = readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
  const go = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" }).stdout.trim();
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpu?.model ?? "unknown CPU"}, load average ${load}, Node ${process.version}, ${go}; ${placement}`;
}
