import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { buildOurs } from "../competitors/build.ts";
import { machineOf } from "../competitors/machine.ts";
import { root } from "../competitors/workshop.ts";
import { eachRound } from "../each-round.ts";
import { markdown, ms, spread, whole } from "../markdown.ts";
import { startEngines } from "../orders/engines.ts";
import { Customer } from "../orders/flow.ts";
import { type Closed, closedLoop } from "../orders/measure.ts";
import { type Adapter, type Site, type System, startOurs, startSupplier } from "../orders/systems.ts";
import { residentMiB } from "../processes.ts";
import { type Announcements, measureAnnouncements, measureWriters, type Writers } from "./commits.ts";
import { addOrders, addToOutbox, crowded, openStores, type Stores, waiting } from "./fill.ts";
import { Reader, type Reads } from "./reads.ts";

export interface CurvesOptions {
  readonly rounds: number;
  /** Orders of one closed loop. */
  readonly orders: number;
  /** The most rows of a curve. */
  readonly rows: number;
  readonly json: string | undefined;
}

/** The system with so many orders stored. */
interface Stored {
  readonly stored: number;
  readonly closed: readonly Closed[];
  readonly reads: Reads;
  /** MiB of orders and worker together. */
  readonly resident: number;
}

/** A backlog that the relay of orders publishes to a broker. */
interface Drained {
  readonly adapter: Adapter;
  readonly backlog: number;
  readonly perSecond: number;
  /** MiB of orders: before, and the most meanwhile. */
  readonly resident: readonly [number, number];
}

const sizes = [1_000, 10_000, 100_000, 1_000_000];
const warmOrders = 1_000;
/** The longest time in which a backlog must shrink. */
const stuckMs = 30_000;

/**
 * Measures what grows with stored data: orders, lists and watches over ever more stored orders, and
 * the relay with ever longer backlogs.
 */
export async function curves(options: CurvesOptions): Promise<void> {
  buildOurs(root, ["orders", "worker"]);
  const machine = machineOf("processes on any core");
  console.log(`\n${machine}\n`);
  const upTo = sizes.filter((size) => size <= options.rows);
  const stored = await withSite((site, stack) => overStored(site, stack, upTo, options));
  console.log(`${storedTable(stored)}\n`);
  const backlogs: Drained[] = [];
  for (const backlog of upTo.filter((size) => size >= 10_000)) {
    for (const adapter of ["postgres", "kafka"] as const) {
      const one = await withSite((site, stack) => drain(site, stack, adapter, backlog));
      if (one !== undefined) backlogs.push(one);
    }
  }
  console.log(`${drainedTable(backlogs)}\n`);
  const writers = await withSite(({ engines }) => measureWriters(engines, options.rounds));
  console.log(`${writersTable(writers)}\n`);
  const announcements = await withSite(({ engines }) => measureAnnouncements(engines, options.rounds));
  console.log(announcementsTable(announcements));
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, options, stored, backlogs, writers, announcements }, undefined, 2)}\n`,
    );
}

/** Runs `work` with engines of its own, on new data. */
async function withSite<T>(work: (site: Site, stack: AsyncDisposableStack) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const engines = stack.use(await startEngines());
  const without = { root, competitors: undefined, folder, engines, flags: [], kafkaClient: "kafkajs" as const };
  return await work({ ...without, supplier: await startSupplier(without, stack) }, stack);
}

async function overStored(
  site: Site,
  stack: AsyncDisposableStack,
  upTo: readonly number[],
  { rounds, orders: count }: CurvesOptions,
): Promise<Stored[]> {
  const system = await startOurs(site, "orders + worker", "postgres", stack);
  const stores = stack.use(await openStores(system));
  const customer = stack.use(await Customer.open(system));
  const reader = stack.use(await Reader.open(system));
  await customer.closed("fulfilled", warmOrders);
  await addOrders(stores, crowded.orders, crowded.customerId);
  const seen = { system, customer, closed: { fulfilled: [], rejected: [] }, atRate: { fulfilled: [], rejected: [] } };
  const all: Stored[] = [];
  let before = 0;
  for (const size of upTo) {
    await addOrders(stores, size - before);
    before = size;
    const closed: Closed[] = [];
    for (const _ of eachRound(rounds, `${size} orders stored`)) {
      closed.push(await closedLoop(seen, "fulfilled", site.engines, count));
    }
    const reads = await reader.measure(stores);
    all.push({ stored: size, closed, reads, resident: residentOf(system) });
  }
  return all;
}

/** Returns undefined if there is no such broker on this machine. */
async function drain(
  site: Site,
  stack: AsyncDisposableStack,
  adapter: Adapter,
  backlog: number,
): Promise<Drained | undefined> {
  if (adapter === "kafka" && site.engines.kafkaPort === undefined) return undefined;
  const system = await startOurs(site, "orders", adapter, stack, ["orders"]);
  const stores = stack.use(await openStores(system));
  await addToOutbox(stores, warmOrders);
  await drained(stores);
  const before = residentOf(system);
  let most = before;
  await addToOutbox(stores, backlog);
  const start = performance.now();
  await drained(stores, () => (most = Math.max(most, residentOf(system))));
  const perSecond = (backlog * 1_000) / (performance.now() - start);
  return { adapter, backlog, perSecond, resident: [before, most] };
}

/** Waits until the outbox is empty. Rejects if the number of its rows does not fall for a while. */
async function drained(stores: Stores, look: () => void = () => {}): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  let giveUpAt = performance.now() + stuckMs;
  for (;;) {
    const left = await waiting(stores);
    look();
    if (left === 0) return;
    if (left < least) {
      least = left;
      giveUpAt = performance.now() + stuckMs;
    }
    if (performance.now() > giveUpAt) throw new Error(`the relay stopped with ${left} rows in the outbox`);
    await sleep(100);
  }
}

function residentOf({ services }: System): number {
  return services.reduce((sum, { running }) => sum + residentMiB(running.pid), 0);
}

function storedTable(all: readonly Stored[]): string {
  const head = ["orders stored", "settled/s", "CPU of services, us an order", "of Postgres", "MiB of services"];
  const readsHead = ["list, ms", `of ${whole(crowded.orders)}: first page`, "last page", "watch, ms"];
  const rows = all.map(({ stored, closed, reads, resident }) => [
    whole(stored),
    spread(closed.map(({ perSecond }) => perSecond)),
    spread(closed.map(({ cpu }) => cpu.services)),
    spread(closed.map(({ cpu }) => cpu.postgres)),
    whole(resident),
    ...[reads.list, reads.firstPage, reads.lastPage, reads.watch].map(
      ({ median, p95 }) => `${ms(median)} (p95 ${ms(p95)})`,
    ),
  ]);
  return markdown([[...head, ...readsHead], ...rows]);
}

function drainedTable(all: readonly Drained[]): string {
  const rows = all.map(({ adapter, backlog, perSecond, resident: [before, most] }) => [
    adapter,
    whole(backlog),
    whole(perSecond),
    `${whole(before)} -> ${whole(most)}`,
  ]);
  return markdown([["relay to", "rows in the outbox", "published/s", "MiB of orders, before -> most"], ...rows]);
}

function writersTable(all: readonly Writers[]): string {
  const rows = all.map(({ writers, outbox, notifying }) => [`${writers}`, spread(outbox), spread(notifying)]);
  return markdown([["writers of one outbox", "transactions/s", "if each commit notifies"], ...rows]);
}

function announcementsTable(all: readonly Announcements[]): string {
  const rows = all.map(({ listeners, perSecond, postgres }) => [`${listeners}`, spread(perSecond), spread(postgres)]);
  return markdown([["replicas that listen", "changes/s", "CPU of Postgres, us a change"], ...rows]);
}
