import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "@plumbline/tools-engines";
import { whyNoGo } from "@plumbline/tools-go";
import { median } from "../compare.ts";
import { buildGo, buildOurs } from "../competitors/build.ts";
import { load, loadUnchecked } from "../competitors/load.ts";
import { machineOf } from "../competitors/machine.ts";
import { Running } from "../competitors/program.ts";
import { gateway, upstream } from "../competitors/targets.ts";
import { eachRound } from "../each-round.ts";
import { markdown } from "../markdown.ts";
import { behind, capacity } from "./behind.ts";

export interface OverloadOptions {
  readonly rounds: number;
  /** The length of the measurement of one rate. */
  readonly ms: number;
}

interface Seen {
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
const warmCalls = 25_000;

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
    const found: string[][] = [];
    for (const adaptive of [true, false]) {
      const port = await freePort();
      const program = gateway({ root, folder, collector: "" }, "bare", "http2")(port, behind);
      const env = { ...program.env, GATEWAY_LIMITS_ADAPTIVE: `${adaptive}` };
      await using _gateway = await Running.start({ ...program, env }, 0, folder);
      const name = adaptive ? "on" : "off";
      const giveUpAt = performance.now() + 30_000;
      let warm = 0;
      while (warm < warmCalls && performance.now() < giveUpAt)
        warm += (await load(generator, "http", port, 1_000)).calls;
      if (warm < warmCalls) console.log(`NOT WARM  limit ${name}: ${warm} calls of ${warmCalls} before it is measured`);

      const goodputs: number[] = [];
      const latencies: number[] = [];
      const all = new Map<number, Seen[]>(shares.map((share) => [share, []]));
      for (const _ of eachRound(rounds, "overload")) {
        const closed = await load(generator, "http", port, ms);
        const peak = closed.calls / closed.seconds;
        const seen = new Map<number, Seen>();
        for (const share of shares) {
          const at = async (time: number): Promise<Seen> => {
            const report = await loadUnchecked(generator, "http", port, time, Math.round(peak * share), {
              connections,
            });
            const { calls, failed, seconds, p50, p99 } = report;
            return { goodput: calls / seconds, failed: failed / (calls + failed), p50: p50 / 1000, p99: p99 / 1000 };
          };
          await at(1_000); // Time for the limit to settle.
          const one = await at(ms);
          seen.set(share, one);
          all.get(share)?.push(one);
        }
        goodputs.push((seen.get(2)?.goodput ?? Number.NaN) / peak);
        latencies.push((seen.get(2)?.p99 ?? Number.NaN) / (seen.get(0.9)?.p99 ?? Number.NaN));
      }
      for (const [share, samples] of all) {
        const of = (key: keyof Seen): number => median(samples.map((one) => one[key]));
        const latency = `${of("p50").toFixed(1)} / ${of("p99").toFixed(1)}`;
        rows.push([name, `${share}`, of("goodput").toFixed(0), `${(of("failed") * 100).toFixed(1)} %`, latency]);
      }
      const [goodput, latency] = [median(goodputs), median(latencies)];
      found.push([`limit ${name}: goodput at 2 x / peak`, goodput.toFixed(2), ">= 0.9", goodput >= 0.9 ? "yes" : "no"]);
      found.push([`limit ${name}: p99 at 2 x / at 0.9`, latency.toFixed(2), "<= 2", latency <= 2 ? "yes" : "no"]);
    }
    console.log(
      `${markdown([["limit", "of the peak", "answered/s", "refused or failed", "p50 / p99, ms"], ...rows])}\n`,
    );
    console.log(markdown([["ratio", "found", "aim", "met"], ...found]));
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
      rows.push([name, `${shares[index]}`, goodput.toFixed(0), percent(shed), percent(late), p99.toFixed(0)]);
    }
    const [near, twice] = [seen[1], seen[3]];
    if (near === undefined || twice === undefined) continue;
    console.log(
      `limit ${name}: goodput at 2 x / peak ${(twice.goodput / capacity).toFixed(2)} (aim >= 0.9), p99 at 2 x / at 0.9 ${(twice.p99 / near.p99).toFixed(2)} (aim <= 2)`,
    );
  }
  console.log(`\n${markdown([["limit", "of the peak", "answered/s", "shed", "too late", "p99, ms"], ...rows])}\n`);
}
