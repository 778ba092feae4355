import { Pool, sleep } from "@plumbline/concurrency";
import { Api, type Item, type Order } from "./api.ts";
import { judge, type Placed, percentile, type Verdict } from "./verdict.ts";

export interface DemoOptions {
  /** The address of the gateway, without a slash at the end. */
  readonly base: string;
  readonly orders: number;
  readonly concurrency?: number;
  /** The longest wait for the last order to end. */
  readonly waitMs?: number;
  readonly onProgress?: (progress: { placed: number; ended: number; total: number }) => void;
}

export interface DemoReport extends Verdict {
  readonly placed: number;
  /** Orders whose request was sent twice at once, with one idempotency key. */
  readonly sentTwice: number;
  /** Fulfilled orders without a label. */
  readonly withoutLabel: number;
  readonly placeMs: readonly number[];
  readonly settleMs: readonly number[];
}

/** Every seventh order has an item that is never in stock. */
const outOfStockEvery = 7;
/** Every tenth request is sent twice at once and must make one order. */
const sentTwiceEvery = 10;
const skus = ["tea", "coffee", "cups", "kettle"] as const;

/**
 * Places orders, waits for each to end, and compares them with the orders that the API lists.
 * Rejects only if the API is unreachable.
 */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { base, orders: total, concurrency = 16, waitMs = 120_000, onProgress = () => {} } = options;
  const api = new Api(base);
  const customerId = `demo-${crypto.randomUUID()}`;
  const pool = new Pool({ concurrency, queue: total });
  const placed: Placed[] = [];
  const placeMs: number[] = [];
  let sentTwice = 0;

  const placeOne = async (index: number) => {
    const rejected = index % outOfStockEvery === outOfStockEvery - 1;
    const sku = rejected ? "unicorn" : (skus[index % skus.length] as string);
    const items: Item[] = [{ sku, quantity: 1 + (index % 3) }, ...(sku === "tea" ? [] : [{ sku: "tea", quantity: 1 }])];
    const key = crypto.randomUUID();
    const began = performance.now();
    const sends = index % sentTwiceEvery === 0 ? 2 : 1;
    const answers = await Promise.all(Array.from({ length: sends }, () => api.place(customerId, items, key)));
    if (sends === 2) sentTwice++;
    placeMs.push(performance.now() - began);
    for (const id of new Set(answers.map((answer) => answer.id))) {
      placed.push({ key, id, expected: rejected ? "ORDER_STATUS_REJECTED" : "ORDER_STATUS_FULFILLED" });
    }
    onProgress({ placed: placed.length, ended: 0, total });
  };
  await Promise.all(Array.from({ length: total }, (_, index) => pool.run(() => placeOne(index))));

  const listed = await untilEnded(api, customerId, placed.length, waitMs, (ended) =>
    onProgress({ placed: total, ended, total }),
  );
  const fulfilled = listed.filter((order) => order.status === "ORDER_STATUS_FULFILLED");
  const labels = await Promise.all(fulfilled.map((order) => pool.run(() => api.hasLabel(order.id))));
  const verdict = judge(placed, listed);
  const withoutLabel = labels.filter((has) => !has).length;
  return {
    ...verdict,
    ok: verdict.ok && withoutLabel === 0 && placed.length === total,
    placed: placed.length,
    sentTwice,
    withoutLabel,
    placeMs,
    settleMs: listed.filter(hasEnded).map((order) => Date.parse(order.updateTime) - Date.parse(order.createTime)),
  };
}

/** Returns the report of the demo: a table, and a line that says if an order is missing. */
export function table(report: DemoReport): string {
  const ms = (values: readonly number[], share: number) => `${Math.round(percentile(values, share))} ms`;
  const row = (name: string, values: readonly number[]) =>
    `  ${name.padEnd(22)}p50 ${ms(values, 0.5).padEnd(9)}p90 ${ms(values, 0.9).padEnd(9)}p99 ${ms(values, 0.99).padEnd(9)}max ${ms(values, 1)}`;
  return [
    "",
    ...[...report.byStatus].toSorted().map(([status, count]) => `  ${status.padEnd(30)}${String(count).padStart(5)}`),
    "",
    row("placing (HTTP)", report.placeMs),
    row("placed to settled", report.settleMs),
    "",
    `  ${report.sentTwice} requests sent twice with one key, ${report.withoutLabel} fulfilled orders without a label`,
    ...[...report.lost, ...report.doubled, ...report.wrong].slice(0, 10).map((problem) => `  ${problem}`),
    `  ${report.placed - report.lost.length} of ${report.placed} accounted for, ${report.lost.length} lost, ${report.doubled.length} doubled, ${report.wrong.length} wrong`,
  ].join("\n");
}

async function untilEnded(
  api: Api,
  customerId: string,
  count: number,
  waitMs: number,
  onEnded: (ended: number) => void,
): Promise<Order[]> {
  const until = performance.now() + waitMs;
  for (;;) {
    const orders = await api.list(customerId);
    const ended = orders.filter(hasEnded).length;
    onEnded(ended);
    if (ended >= count || performance.now() > until) return orders;
    await sleep(250);
  }
}

function hasEnded(order: Order): boolean {
  return order.status !== "ORDER_STATUS_PENDING";
}
