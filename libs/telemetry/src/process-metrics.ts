import { constants, type PerformanceEntry, PerformanceObserver, performance } from "node:perf_hooks";
import * as prom from "prom-client";

let registry: prom.Registry | undefined;

/**
 * Returns the registry of CPU, memory, file descriptors, event loop and garbage collection of this
 * process. There is one per process, since prom-client's observers cannot be removed and a second
 * set would leak.
 */
export function processMetrics(): prom.Registry {
  if (registry === undefined) {
    registry = new prom.Registry();
    prom.collectDefaultMetrics({ register: registry });
    boundLag(registry);
    observeGarbageCollection(registry);
    observeEventLoop(registry);
  }
  return registry;
}

/**
 * Makes the gauges of the event loop's lag 0 when nothing was measured since the last scrape.
 * prom-client reports the initial values of its histogram then: 9.2e9 s, and NaN.
 */
function boundLag(register: prom.Registry): void {
  for (const statistic of ["min", "max", "mean", "stddev", "p50", "p90", "p99"]) {
    const gauge = register.getSingleMetric(`nodejs_eventloop_lag_${statistic}_seconds`) as prom.Gauge;
    const set = gauge.set.bind(gauge) as (labels: object, seconds: number) => void;
    const bounded = (labels: object, seconds: number) => set(labels, seconds < longestLag ? seconds : 0);
    Object.assign(gauge, { set: bounded });
  }
}

/** Longer than any process runs: a year, in seconds. */
const longestLag = 31_536_000;

const types: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/**
 * Replaces prom-client's metric, which counts one collection per batch and has no bucket between 10
 * and 100 ms.
 */
function observeGarbageCollection(register: prom.Registry): void {
  register.removeSingleMetric("nodejs_gc_duration_seconds");
  const pauses = new prom.Histogram({
    name: "v8js_gc_duration_seconds",
    help: "Pauses for garbage collection, by type: major, minor, incremental or weakcb.",
    labelNames: ["type"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [register],
  });
  const observer = new PerformanceObserver((list) => {
    // Entries of this type have `detail`, which the types of Node omit.
    const entries = list.getEntries() as (PerformanceEntry & { readonly detail: { readonly kind: number } })[];
    for (const { duration, detail } of entries) {
      const { kind } = detail;
      pauses.observe({ type: types[kind] ?? "other" }, duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
}

/** Adds the utilization of the event loop to prom-client's lag. Near 1, all work waits. */
function observeEventLoop(register: prom.Registry): void {
  let before = performance.eventLoopUtilization();
  const gauge = new prom.Gauge({
    name: "nodejs_eventloop_utilization_ratio",
    help: "Share of the time since the last scrape that the event loop was busy, 0 to 1.",
    registers: [register],
    collect() {
      const now = performance.eventLoopUtilization();
      gauge.set(performance.eventLoopUtilization(now, before).utilization);
      before = now;
    },
  });
}
