/**
 * Preload of a measured Node process: at SIGUSR2 it writes when the garbage collector paused it,
 * when it wrote log lines, and when its event loop was busy, to TIMELINE_FILE. Times are
 * milliseconds of CLOCK_MONOTONIC.
 */
import { renameSync, writeFileSync } from "node:fs";
import { constants, PerformanceObserver, performance } from "node:perf_hooks";
import type { Interval } from "./explain.ts";

const most = 200_000;
const tickMs = 1;
/** A timer of 1 ms may come after 2 ms in an idle loop. */
const lateMs = 2.5;
const longWriteMs = 0.2;

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const zero = now() - performance.now();

let seen: Record<string, Interval[]> = {};
const add = (name: string, from: number, to: number): void => {
  const list = (seen[name] ??= []);
  if (list.length < most) list.push({ from, to });
};

const kinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "collector: young generation",
  [constants.NODE_PERFORMANCE_GC_MINOR_MARK_SWEEP]: "collector: young generation",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "collector: all of the heap",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "collector: a step of marking",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "collector: weak references",
};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { startTime, duration, detail } = entry as PerformanceEntry & { readonly detail: { readonly kind: number } };
    const { kind } = detail;
    add(kinds[kind] ?? "collector", zero + startTime, zero + startTime + duration);
  }
}).observe({ entryTypes: ["gc"] });

const { stdout } = process;
const write = stdout.write.bind(stdout) as (...args: unknown[]) => boolean;
stdout.write = (...args: unknown[]): boolean => {
  const from = now();
  const isWritten = write(...args);
  const to = now();
  if (to - from > longWriteMs) add("log lines written", from, to);
  return isWritten;
};

let last = now();
setInterval(() => {
  const at = now();
  if (at - last > lateMs) add("event loop busy, reason not known", last + tickMs, at);
  last = at;
}, tickMs).unref();

process.on("SIGUSR2", () => {
  const file = process.env["TIMELINE_FILE"] ?? "timeline.json";
  writeFileSync(`${file}.new`, JSON.stringify(seen));
  seen = {};
  renameSync(`${file}.new`, file); // A reader never sees half a list.
});
