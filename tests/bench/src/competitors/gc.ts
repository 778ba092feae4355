/**
 * Runs inside a measured Node process: at SIGUSR2 it writes the garbage collection pauses and the
 * delays of the event loop since the last time, in ms, to GC_FILE.
 */
import { renameSync, writeFileSync } from "node:fs";
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";

const pauses: number[] = [];
const most = 1_000_000;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) if (pauses.length < most) pauses.push(duration);
}).observe({ entryTypes: ["gc"] });

const resolution = 10;
const delays = monitorEventLoopDelay({ resolution });
delays.enable();

process.on("SIGUSR2", () => {
  const file = process.env["GC_FILE"] ?? "gc.json";
  // Samples are the times between two ticks of a timer.
  const [p50, p99, max] = [50, 99, 100].map((share) => Math.max(0, delays.percentile(share) / 1e6 - resolution));
  delays.reset();
  writeFileSync(`${file}.new`, JSON.stringify({ pauses: pauses.splice(0), delay: { p50, p99, max } }));
  renameSync(`${file}.new`, file); // A reader never sees half a list.
});
