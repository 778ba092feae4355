import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { file } from "@plumbline/config";
import { type Flags, followFlags } from "@plumbline/flags";
import { startTelemetry } from "@plumbline/telemetry";

/** The most microseconds of one evaluation, with its count and its event. */
const mostMicroseconds = 5;
const times = 200_000;

const on = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" };
const share = {
  fractional: [
    ["on", 10],
    ["off", 90],
  ],
};
const flags = {
  plain: on,
  share: { ...on, targeting: share },
  rule: { ...on, targeting: { if: [{ ends_with: [{ var: "email" }, "@example.com"] }, "on", share] } },
};

/**
 * Measures an evaluation of a flag without a rule, with a share, and with a rule before the share.
 * Prints the medians beside the limit. Sets exit code 1 if one is above it.
 */
export async function flagCosts(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-bench-flags-"));
  try {
    const path = join(folder, "flags.json");
    writeFileSync(path, JSON.stringify({ flags }));
    await using telemetry = startTelemetry({
      service: "bench",
      destination: new Writable({ write: (_chunk, _encoding, done) => done() }),
    });
    await using followed = await followFlags(file(path), telemetry);
    for (const key of Object.keys(flags)) {
      evaluate(followed, key); // Warms up.
      const costs = Array.from({ length: rounds }, () => evaluate(followed, key)).toSorted((a, b) => a - b);
      const median = costs[Math.floor(costs.length / 2)] ?? Number.NaN;
      console.log(`flag, ${key}: ${median.toFixed(2)} µs an evaluation; at most ${mostMicroseconds}`);
      if (!(median <= mostMicroseconds)) process.exitCode = 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the microseconds of one evaluation. */
function evaluate(followed: Flags, key: string): number {
  const from = performance.now();
  for (let n = 0; n < times; n++) {
    followed.boolean(key, false, { targetingKey: `customer-${n % 1_000}`, email: "ada@example.org" });
  }
  return ((performance.now() - from) * 1_000) / times;
}
