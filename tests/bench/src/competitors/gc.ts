/**
 * Runs inside a measured Node process: at SIGUSR2 it writes garbage collection pauses, in ms, to
 * GC_FILE.
 */
import { writeFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";

const pauses: number[] = [];
const most = 1_000_000;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) if (pauses.length < most) pauses.push(duration);
}).observe({ entryTypes: ["gc"] });

process.on("SIGUSR2", () => writeFileSync(process.env["GC_FILE"] ?? "gc.json", JSON.stringify(pauses)));
