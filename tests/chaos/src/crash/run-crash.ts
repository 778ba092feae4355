import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { Api, judge, type Order, type Placed } from "@plumbline/load";
import type { InspectorOptions } from "@plumbline/messaging/inspect";
import { type Adapter, freeStackPorts, openProcesses, type ProcessStack, type Transport } from "@plumbline/tools-stack";
import { type Audit, audit } from "./audit.ts";
import { ordersPerRound, type PointName, points } from "./points.ts";

export interface CrashOptions {
  readonly root: string;
  readonly rounds: number;
  readonly adapter: Adapter;
  /** The transport of the calls; the services' default if it is not given. */
  readonly transport?: Transport | undefined;
  readonly onRound?: (round: number, point: PointName) => void;
  readonly onLine?: (name: string, line: string) => void;
}

export interface CrashReport extends Audit {
  readonly rows: readonly { readonly point: PointName; readonly kills: number; readonly orders: number }[];
  readonly orders: number;
  /**
   * The faults in the public API: an order is missing, still pending, or changed more than once.
   */
  readonly wrong: readonly string[];
  readonly ok: boolean;
}

const roundMs = 60_000;
/**
 * Longer than the delays of the first two retry topics, 5 s and 1 min: on a busy machine orders
 * take that way.
 */
const settleMs = 120_000;

/**
 * Starts the whole system and kills a service at one point after another during orders. Then
 * compares the API, both databases and all messages of the broker. Rejects if a point was never
 * reached, because a kill that did not happen proves nothing.
 */
export async function runCrash({
  root,
  rounds,
  adapter,
  transport,
  onRound,
  onLine = () => {},
}: CrashOptions): Promise<CrashReport> {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-crash-"));
  try {
    const ports = await freeStackPorts();
    await using stack = await openProcesses({
      root,
      ports,
      adapter,
      transport,
      dataDir: join(folder, "data"),
      environment: { CRASH_FOLDER: folder },
      imports: ["./tests/chaos/src/crash/faults.ts"],
      onLine,
    });
    const api = new Api(`http://127.0.0.1:${ports.gateway}`);
    const customerId = `crash-${crypto.randomUUID()}`;
    const placed: Placed[] = [];
    const rows = points.map(({ name }) => ({ point: name, kills: 0, orders: 0 }));
    for (let round = 0; round < rounds; round++) {
      const index = round % points.length;
      const point = points[index] as (typeof points)[number];
      const row = rows[index] as (typeof rows)[number];
      onRound?.(round, point.name);
      const restarts = stack.programs.get(point.service)?.restarts ?? 0;
      const armed = join(folder, point.service);
      writeFileSync(armed, `${1 + Math.floor(Math.random() * point.most)} ${point.name}`);
      placed.push(...(await placeSome(api, customerId, round)));
      row.orders += ordersPerRound;
      await until(() => !existsSync(armed), `the kill "${point.name}"`);
      await until(
        () => (stack.programs.get(point.service)?.restarts ?? 0) > restarts,
        `${point.service} to start again`,
      );
      row.kills++;
    }
    let listed: Order[] = [];
    const pending = () =>
      listed.length < placed.length || listed.some((order) => order.status === "ORDER_STATUS_PENDING");
    for (const end = performance.now() + settleMs; pending() && performance.now() < end; await sleep(200))
      listed = await api.list(customerId);
    const verdict = judge(placed, listed);
    const audited = await audit(stack.databaseUrls, brokerOf(adapter, stack));
    const wrong = [...verdict.lost, ...verdict.doubled, ...verdict.wrong];
    return {
      ...audited,
      rows,
      orders: placed.length,
      wrong,
      ok: wrong.length + audited.lost.length + audited.phantom.length + audited.doubled.length === 0,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function brokerOf(adapter: Adapter, stack: ProcessStack): InspectorOptions {
  return adapter === "kafka"
    ? { adapter, brokers: [stack.kafkaBrokers as string] }
    : { adapter: "postgres", url: stack.databaseUrls.messaging };
}

async function placeSome(api: Api, customerId: string, round: number): Promise<Placed[]> {
  return await Promise.all(
    Array.from({ length: ordersPerRound }, async (_, index) => {
      const rejected = (round + index) % 4 === 0;
      const key = crypto.randomUUID();
      const order = await api.place(customerId, [{ sku: rejected ? "unicorn" : "tea", quantity: 1 + index }], key);
      return { key, id: order.id, expected: rejected ? "ORDER_STATUS_REJECTED" : "ORDER_STATUS_FULFILLED" };
    }),
  );
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + roundMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${roundMs} ms for ${what}`);
    await sleep(5);
  }
}
