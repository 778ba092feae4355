/**
 * Runs inside a measured Node process: at SIGUSR2 it writes the garbage collection pauses since the
 * last time, in ms, to GC_FILE.
 */
import { renameSync, writeFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";

const pauses: number[] = [];
const most = 1_000_000;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) if (pauses.length < most) pauses.push(duration);
}).observe({ entryTypes: ["gc"] });

process.on("SIGUSR2", () => {
  const file = process.env["GC_FILE"] ?? "gc.json";
  writeFileSync(`${file}.new`, JSON.stringify(pauses.splice(0)));
  renameSync(`${file}.new`, file); // A reader never sees half a list.
});
