import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "@plumbline/tools-engines";
import { whyNoGo } from "@plumbline/tools-go";
import { median } from "../compare.ts";
import { buildGo, buildOurs } from "../competitors/build.ts";
import { cpuPerCall, load, loadUnchecked } from "../competitors/load.ts";
import { machineOf } from "../competitors/machine.ts";
import { Running } from "../competitors/program.ts";
import { gateway, upstream } from "../competitors/targets.ts";
import { eachRound } from "../each-round.ts";
import { markdown } from "../markdown.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { type Watched, watched } from "../pairs/surroundings.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { atLeast, atMost, type Ratio, ratioTable } from "../ratio.ts";
import { behind, capacity } from "./behind.ts";

export interface OverloadOptions {
  readonly rounds: number;
  /** The length of the measurement of one rate. */
  readonly ms: number;
}

interface Seen extends Watched {
  readonly goodput: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
}

const root = resolve(import.meta.dirname, "../../../..");
/** Shares of the peak. The others are compared with 0.9, which is near the peak without a queue. */
const shares = [0.5, 0.9, 1, 2] as const;
/** Times 8: the most concurrent requests of the generator; real users have no such bound. */
const connections = 64;

/**
 * Measures a service with a queue behind it, and the gateway, at shares of their peak, with the
 * limit and without. Requests arrive at a fixed rate, whether or not earlier ones were answered,
 * and latency counts from the moment when each was due. The gateway's peak is that of a closed loop
 * of 32 calls to the same process.
 */
export async function overload({ rounds, ms }: OverloadOptions): Promise<void> {
  await queueBehind(Math.max(ms, 2_000) * 3);
  const why = whyNoGo(join(root, "tests/bench/go"));
  if (why !== undefined) return console.log(`SKIPPED  overload: the load generator is a Go program, and ${why}`);
  const folder = mkdtempSync(join(tmpdir(), "plumbline-bench-"));
  try {
    buildOurs(root, ["gateway", "greeter-go"]);
    const go = buildGo(root, folder);
    const generator = join(go, "load");
    const behind = await freePort();
    await using _upstream = await Running.start(upstream({ root, go, folder }, behind), 1, folder);
    console.log(`\n${machineOf()}\n`);
    const rows: string[][] = [];
    const found: Ratio[] = [];
    for (const adaptive of [true, false]) {
      const port = await freePort();
      const program = gateway({ root, folder, collector: "" }, "bare", "http2")(port, behind);
      const env = { ...program.env, GATEWAY_LIMITS_ADAPTIVE: `${adaptive}` };
      await using running = await Running.start({ ...program, env }, 0, folder);
      const name = adaptive ? "on" : "off";
      await warmUp(`limit ${name}`, () => cpuPerCall(running, () => load(generator, "http", port, 1_000)));

      const peaks: (Watched & Pick<Seen, "goodput">)[] = [];
      const all = new Map<number, Seen[]>(shares.map((share) => [share, []]));
      for (const _ of eachRound(rounds, "overload")) {
        const closed = await watched(async () => {
          const { calls, seconds } = await load(generator, "http", port, ms);
          return { goodput: calls / seconds };
        });
        const peak = closed.goodput;
        peaks.push(closed);
        for (const share of shares) {
          const at = (time: number): Promise<Seen> =>
            watched(async () => {
              const rate = Math.round(peak * share);
              const report = await loadUnchecked(generator, "http", port, time, rate, { connections });
              const { calls, failed, seconds, p50, p99 } = report;
              return { goodput: calls / seconds, failed: failed / (calls + failed), p50: p50 / 1000, p99: p99 / 1000 };
            });
          await at(1_000); // Time for the limit to settle.
          all.get(share)?.push(await at(ms));
        }
      }
      for (const [share, samples] of all) {
        const of = (key: Exclude<keyof Seen, "around">): number => median(samples.map((one) => one[key]));
        const latency = `${of("p50").toFixed(1)} / ${of("p99").toFixed(1)}`;
        rows.push([name, `${share}`, of("goodput").toFixed(0), `${(of("failed") * 100).toFixed(1)} %`, latency]);
      }
      const [near, twice] = [all.get(0.9) ?? [], all.get(2) ?? []];
      const goodput = calmPairs<(typeof peaks)[number]>(peaks, twice);
      found.push(
        atLeast(0.9, `limit ${name}: goodput at 2 x / peak`, goodput, (sample) => sample.goodput),
        atMost(2, `limit ${name}: p99 at 2 x / at 0.9`, calmPairs(near, twice), ({ p99 }) => p99),
      );
    }
    console.log(
      `${markdown([["limit", "of the peak", "answered/s", "refused or failed", "p50 / p99, ms"], ...rows])}\n`,
    );
    console.log(ratioTable(found));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function queueBehind(ms: number): Promise<void> {
  const rows: string[][] = [];
  for (const adaptive of [true, false]) {
    const name = adaptive ? "on" : "off";
    const seen = await behind(
      adaptive,
      shares.map((share) => share * capacity),
      ms,
    );
    const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
    for (const [index, { goodput, shed, late, p99 }] of seen.entries()) {
      rows.push([name, `${shares[index]}`, goodput.toFixed(0), percent(shed), percent(late), shown(p99, 0)]);
    }
    const [near, twice] = [seen[1], seen[3]];
    if (near === undefined || twice === undefined) continue;
    console.log(
      `limit ${name}: goodput at 2 x / peak ${(twice.goodput / capacity).toFixed(2)} (aim >= 0.9), p99 at 2 x / at 0.9 ${shown(twice.p99 / near.p99, 2)} (aim <= 2)`,
    );
  }
  console.log(`\n${markdown([["limit", "of the peak", "answered/s", "shed", "too late", "p99, ms"], ...rows])}\n`);
}

/** Nothing was answered in time if there is no latency. */
function shown(value: number, digits: number): string {
  return Number.isNaN(value) ? "none" : value.toFixed(digits);
}
