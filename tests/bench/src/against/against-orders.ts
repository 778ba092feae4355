import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../compare.ts";
import { root } from "../competitors/workshop.ts";
import { eachRound } from "../each-round.ts";
import { at, markdown, ms, whole } from "../markdown.ts";
import { type Engines, startEngines } from "../orders/engines.ts";
import { Customer, type Ending } from "../orders/flow.ts";
import { type Closed, closedLoop } from "../orders/measure.ts";
import { startOurs, startSupplier } from "../orders/systems.ts";
import { calmPairs, calmRule } from "../pairs/calm-pairs.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { atLeast, atMost, interval, type Ratio } from "../ratio.ts";

/** One round of one side. */
interface Sample extends Closed {
  /** From placed to settled in ms, the median: at `lowRate`, and of `burst` orders at once. */
  readonly lowMs: number;
  readonly burstMs: number;
}

interface Side {
  readonly engines: Engines;
  readonly customer: Customer;
  readonly measure: (ending: Ending, count: number) => Promise<Closed>;
  readonly samples: Sample[];
}

const leastRate = 0.95;
const mostCost = 1.05;
const mostLatency = 1.2;
const starts = 2;
const warmOrders = 250;
/** Orders a second, and how many, of the latency at low load. */
const [lowRate, lowOrders] = [20, 40];
const burst = 200;

/**
 * Measures orders and worker of this checkout beside those of another, each with a Postgres of its
 * own, in interleaved pairs over two starts. Returns a table, and the ratios.
 */
export async function againstOrders(
  other: string,
  { rounds, orders, names }: { readonly rounds: number; readonly orders: number; readonly names: readonly string[] },
): Promise<{ readonly table: string; readonly ratios: readonly Ratio[]; readonly samples: Record<string, unknown> }> {
  const rows = [["orders on Postgres", "before -> after", "ratio (95 %)", "pairs", ""]];
  const ratios: Ratio[] = [];
  const samples: Record<string, unknown> = {};
  for (const ending of ["fulfilled", "rejected"] as const) {
    if (!names.some((name) => `orders, ${ending}`.includes(name))) continue;
    const [before, after] = await measurePairs(other, ending, rounds, orders);
    samples[`orders, ${ending}`] = { before, after };
    const both = calmPairs(before, after);
    const add = (ratio: Ratio, of: (sample: Sample) => number, print: (value: number) => string): void => {
      const side = (index: 0 | 1) =>
        both.pairs.length === 0 ? "?" : print(median(both.pairs.map((pair) => of(pair[index]))));
      const pairs = `${ratio.pairs} of ${ratio.measured}`;
      rows.push([ratio.name, `${side(0)} -> ${side(1)}`, interval(ratio), pairs, `${ratio.aim} ${ratio.verdict}`]);
      ratios.push(ratio);
    };
    const rate = ({ perSecond }: Closed): number => perSecond;
    add(atLeast(leastRate, `${ending}: settled a second`, both, rate), rate, whole);
    for (const part of ["services", "postgres"] as const) {
      const cpu = (sample: Closed): number => sample.cpu[part];
      add(atMost(mostCost, `${ending}: CPU us of ${part} for each`, both, cpu), cpu, whole);
    }
    const low = ({ lowMs }: Sample): number => lowMs;
    add(atMost(mostLatency, `${ending}: ms from placed to settled at ${lowRate}/s, p50`, both, low), low, ms);
    const all = ({ burstMs }: Sample): number => burstMs;
    add(atMost(mostLatency, `${ending}: the same of ${burst} at once, p50`, both, all), all, ms);
  }
  return { table: `${markdown(rows)}\n\n${calmRule}`, ratios, samples };
}

async function measurePairs(
  other: string,
  ending: Ending,
  rounds: number,
  orders: number,
): Promise<readonly [Sample[], Sample[]]> {
  const [before, after]: [Sample[], Sample[]] = [[], []];
  const sides = [
    { checkout: other, samples: before },
    { checkout: root, samples: after },
  ];
  for (let start = 0; start < starts; start++) {
    await using stack = new AsyncDisposableStack();
    const started: Side[] = [];
    let supplier: string | undefined;
    for (const { checkout, samples } of start % 2 === 0 ? sides : sides.toReversed()) {
      const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-")), (path) =>
        rmSync(path, { recursive: true, force: true }),
      );
      const engines = stack.use(await startEngines({ kafka: false }));
      const without = { root, competitors: undefined, folder, engines, flags: [], kafkaClient: "kafkajs" } as const;
      supplier ??= await startSupplier(without, stack);
      const system = await startOurs({ ...without, root: checkout, supplier }, checkout, "postgres", stack);
      const customer = stack.use(await Customer.open(system));
      const measure = (kind: Ending, count: number) => closedLoop({ system, customer }, kind, engines, count);
      started.push({ engines, customer, measure, samples });
    }
    for (const { customer } of started) {
      await warmUp(`orders, ${ending}`, async () => 1 / (await customer.closed(ending, warmOrders)).perSecond);
    }
    for (const round of eachRound(Math.ceil(rounds / starts), `${ending} orders, start ${start + 1} of ${starts}`)) {
      for (const side of round % 2 === 0 ? started : started.toReversed()) {
        const closed = await side.measure(ending, orders);
        const low = await side.customer.atRate(ending, lowOrders, lowRate);
        const all = await side.customer.atRate(ending, burst, Number.POSITIVE_INFINITY);
        side.samples.push({ ...closed, lowMs: at(low.latencies, 0.5), burstMs: at(all.latencies, 0.5) });
      }
    }
  }
  return [before, after];
}
