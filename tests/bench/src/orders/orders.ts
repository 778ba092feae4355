import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KafkaClientName } from "@plumbline/messaging/settings";
import { buildOurs } from "../competitors/build.ts";
import { installCompetitors } from "../competitors/install.ts";
import { machineOf } from "../competitors/machine.ts";
import { root } from "../competitors/workshop.ts";
import { eachRound } from "../each-round.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { ratioTable } from "../ratio.ts";
import { startEngines } from "./engines.ts";
import { Customer, type Ending } from "./flow.ts";
import { closedLoop, type Seen } from "./measure.ts";
import { endingTable, operationLines, processTable, ratios } from "./report.ts";
import { type Site, type System, startBare, startOurs, startSupplier } from "./systems.ts";

export interface OrdersOptions {
  readonly rounds: number;
  /** The ends to measure: fulfilled, rejected. */
  readonly only: readonly string[];
  /** Parts of names: only systems with one of them are measured. */
  readonly names: readonly string[];
  /** Orders of one closed loop. */
  readonly orders: number;
  /** Orders a second where latency is measured. */
  readonly rate: number;
  readonly json: string | undefined;
  /** The client library of orders and worker on Kafka. */
  readonly client: KafkaClientName;
  /** A folder for CPU profiles of the services, written when they exit. */
  readonly profile: string | undefined;
}

const allEndings = ["fulfilled", "rejected"] as const satisfies readonly Ending[];
/** The seconds of one measurement of latency. */
const rateSeconds = 5;
/** The orders of a slice of the warm-up. */
const warmOrders = 250;

/**
 * Measures an order from placed to its end, beside the same by hand: throughput, latency, CPU of
 * all processes.
 */
export async function orders(options: OrdersOptions): Promise<void> {
  const endings = allEndings.filter((ending) => options.only.includes(ending));
  buildOurs(root, ["orders", "worker"]);
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const engines = stack.use(await startEngines());
  const flags = options.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${options.profile}`];
  const without = { root, competitors: installCompetitors(root), folder, engines, flags, kafkaClient: options.client };
  const site: Site = { ...without, supplier: await startSupplier(without, stack) };

  const all: Seen[] = [];
  for (const system of await startAll(site, options.names, stack)) {
    const customer = stack.use(await Customer.open(system));
    for (const ending of endings) {
      await warmUp(`${system.name}, ${ending}`, async () => 1 / (await customer.closed(ending, warmOrders)).perSecond);
    }
    const none = () => ({ fulfilled: [], rejected: [] });
    all.push({ system, customer, closed: none(), atRate: none() });
  }
  const machine = machineOf("processes on any core");
  console.log(`\n${machine}\n`);
  for (const round of eachRound(options.rounds, "orders")) {
    for (let index = 0; index < all.length; index++) {
      const one = all[(index + round) % all.length];
      if (one === undefined) continue;
      for (const ending of endings) {
        one.closed[ending].push(await closedLoop(one, ending, engines, options.orders));
        one.atRate[ending].push(await one.customer.atRate(ending, options.rate * rateSeconds, options.rate));
      }
    }
  }
  for (const ending of endings) console.log(`${endingTable(all, ending, options.rate)}\n`);
  for (const line of endings.flatMap((ending) => operationLines(all, ending))) console.log(`${line}\n`);
  console.log(`${await processTable(all)}\n`);
  const found = ratios(all, endings);
  if (found.length > 0) console.log(ratioTable(found));
  if (options.json !== undefined) {
    const systems = all.map(({ system, closed, atRate }) => ({ name: system.name, closed, atRate }));
    writeFileSync(options.json, `${JSON.stringify({ machine, options, systems, ratios: found }, undefined, 2)}\n`);
  }
}

async function startAll(site: Site, names: readonly string[], stack: AsyncDisposableStack): Promise<System[]> {
  const { competitors, engines } = site;
  const systems: System[] = [];
  const add = async (name: string, start: (name: string) => Promise<System>): Promise<void> => {
    if (names.some((part) => name.includes(part))) systems.push(await start(name));
  };
  await add("orders + worker on Postgres", (name) => startOurs(site, name, "postgres", stack));
  if (engines.kafkaPort === undefined) return systems;
  await add(`orders + worker on Kafka, ${site.kafkaClient}`, (name) => startOurs(site, name, "kafka", stack));
  if (competitors !== undefined)
    await add("bare loop: kafkajs + pg", (name) => startBare(site, name, competitors, stack));
  return systems;
}
