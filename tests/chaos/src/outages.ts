import { sleep } from "@plumbline/concurrency";
import { type DemoReport, table as demoTable, runDemo } from "@plumbline/load";
import { type Stack, table } from "@plumbline/tools-stack";
import type { Report } from "./report.ts";

export const victims = ["kafka", "postgres", "redis", "worker", "orders"] as const;
export type Victim = (typeof victims)[number];

const orders = 200;
const downMs = 20_000;
/** An event during the outage may take the retry topics: 5 s, then a minute. */
const waitMs = 180_000;

interface Row {
  readonly victim: Victim;
  readonly report: DemoReport;
  /** The orders that were placed before the kill. */
  readonly placedBefore: number;
  readonly backS: number;
  readonly endS: number;
}

/** Runs the demo once for each victim, and kills it in the middle and restarts it 20 s later. */
export async function outages(stack: Stack, chosen: readonly Victim[], print: (text: string) => void): Promise<Report> {
  const rows: Row[] = [];
  for (const victim of chosen) {
    print(`${victim}: ${orders} orders, killed in their middle for ${downMs / 1_000} s`);
    rows.push(await outage(stack, victim));
  }
  const head = [
    "killed for 20 s",
    "after",
    "accounted for",
    "lost",
    "doubled",
    "wrong",
    "no label",
    "healthy",
    "settled",
  ];
  const lines = rows.map(({ victim, report, placedBefore, backS, endS }) => [
    victim,
    `${placedBefore} placed`,
    `${report.placed - report.lost.length} of ${orders}`,
    ...[report.lost.length, report.doubled.length, report.wrong.length, report.withoutLabel].map(String),
    `${backS.toFixed(1)} s`,
    `${endS.toFixed(1)} s`,
  ]);
  const failed = rows.filter(({ report }) => !report.ok);
  return {
    ok: failed.length === 0,
    text: [
      table(head, lines),
      "  healthy, settled: seconds after its start until every container is healthy, and every order has ended",
      ...failed.map(({ victim, report }) => `\n${victim}:${demoTable(report)}`),
    ].join("\n"),
  };
}

async function outage(stack: Stack, victim: Victim): Promise<Row> {
  const [base = ""] = await stack.gateways();
  let placed = 0;
  const middle = Promise.withResolvers<void>();
  const demo = runDemo({
    base,
    orders,
    waitMs,
    onProgress: (progress) => {
      placed = progress.placed;
      if (placed >= orders / 4) middle.resolve();
    },
  });
  // A demo that rejects never reaches its middle.
  await Promise.race([middle.promise, demo]);
  await stack.kill(victim);
  const placedBefore = placed;
  await sleep(downMs);
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1_000;
  const [backS, [report, endS]] = await Promise.all([
    stack.up().then(seconds),
    demo.then((report) => [report, seconds()] as const),
  ]);
  return { victim, report, placedBefore, backS, endS: Math.max(0, endS) };
}
