import assert from "node:assert/strict";
import { test } from "node:test";
import type { Measured } from "./measure.ts";
import { ratios } from "./ratios.ts";
import type { Group, Mode } from "./targets.ts";

const around = { steal: 0, queue: 1, spinMs: 5 };

/** A target whose rounds all have the same figures. */
function measured(name: string, group: Group, mode: Mode, cpuMicros: number): Measured {
  const load = { calls: 1, failed: 0, seconds: 1, cpuSeconds: 0, p50: 1, p99: 1, p999: 1, max: 1 };
  const one = { perSecond: 1e6 / cpuMicros, cpuMicros, load, around };
  const target = { name, group, mode, programs: [] };
  return {
    target,
    closed: Array.from({ length: 5 }, () => one),
    atRate: [],
    residentMiB: 0,
    pauses: [],
    pausesAtRate: [],
    delaysAtRate: [],
    atShares: [],
  };
}

test("the default as it ships stands beside the others in full, without an aim", () => {
  const found = ratios([
    measured("gateway (http2)", "gateway", "full", 40),
    measured("gateway (http2)", "gateway", "as it ships", 50),
    measured("grpc-gateway", "gateway", "bare", 10),
    measured("grpc-gateway", "gateway", "full", 100),
    measured("NestJS + grpc-js", "gateway", "full", 200),
  ]);
  assert.deepEqual(
    found.map(({ name, mean, aim, verdict }) => [name, Math.round(mean * 100) / 100, aim, verdict]),
    [
      ["gateway (http2) / grpc-gateway, full: CPU per call", 0.4, "<= 0.8", "met"],
      ["gateway (http2) / NestJS + grpc-js, full: calls/s", 5, ">= 4", "met"],
      ["gateway (http2), as it ships / grpc-gateway, full: CPU per call", 0.5, "none", "reported"],
      ["gateway (http2), as it ships / NestJS + grpc-js, full: calls/s", 4, "none", "reported"],
      ["gateway (http2), as it ships / full: CPU per call", 1.25, "none", "reported"],
    ],
  );
});
