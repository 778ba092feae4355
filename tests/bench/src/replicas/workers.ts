import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { OrderPlaced, ordersEvents } from "@plumbline/contracts";
import { type Broker, connectBroker, createMessage } from "@plumbline/messaging";
import { defaultKafkaClient } from "@plumbline/messaging/settings";
import { type Database, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { buildOurs } from "../competitors/build.ts";
import type { Running } from "../competitors/program.ts";
import { root } from "../competitors/workshop.ts";
import { ControlGroup } from "../control-group.ts";
import { eachRound } from "../each-round.ts";
import { startEngines } from "../orders/engines.ts";
import { type Site, startSupplier, startWorkers } from "../orders/systems.ts";
import { watched } from "../pairs/surroundings.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { type ReplicasOptions, type Scaling, type Shared, share } from "./scaling.ts";

const topic = "orders.events";
const count = 400;
/** The orders of a slice of the warm-up, for each worker. */
const warmCount = 200;
const giveUpMs = 60_000;

interface Group {
  readonly running: readonly Running[];
  readonly database: Database;
  readonly broker: Broker;
}

/**
 * Measures two workers on one topic of six partitions beside one, each group with its own engines:
 * they fulfil orders that wait in the topic.
 */
export async function workers({ rounds }: ReplicasOptions): Promise<Scaling | undefined> {
  buildOurs(root, ["worker"]);
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const groups: Group[] = [];
  for (const size of [1, 2]) {
    const engines = stack.use(await startEngines());
    if (engines.kafkaPort === undefined) return undefined;
    const without = { root, competitors: undefined, folder, engines, flags: [], kafkaClient: defaultKafkaClient };
    const site: Site = { ...without, supplier: await startSupplier(without, stack) };
    const holders = Array.from({ length: size }, () => stack.use(new ControlGroup({ cores: share })));
    const { running, databaseUrl: url } = await startWorkers(site, holders, stack);
    const database = stack.use(await openDatabase({ url, applicationName: "bench", poolSize: 1 }, noTelemetry));
    const kafka = { brokers: [`127.0.0.1:${engines.kafkaPort}`], clientId: "bench" };
    const broker = stack.use(await connectBroker({ adapter: "kafka", kafka }, noTelemetry));
    const group = { running, database, broker };
    await warmUp(`${size} x worker`, async () => {
      const { perSecond, cores } = await fulfil(group, warmCount * size);
      return cores / perSecond;
    });
    groups.push(group);
  }
  const samples: [Shared[], Shared[]] = [[], []];
  for (const _ of eachRound(rounds, "workers")) {
    for (const [index, group] of groups.entries()) samples[index === 0 ? 0 : 1].push(await fulfil(group, count));
  }
  return { name: "worker on Kafka", unit: "orders/s", one: samples[0], two: samples[1] };
}

async function fulfil(group: Group, orders: number): Promise<Shared> {
  return await watched(() => fulfilled(group, orders));
}

async function fulfilled({ running, database, broker }: Group, orders: number): Promise<Omit<Shared, "around">> {
  const rows = async (): Promise<number> => {
    const [row] = await database.query<{ count: number }>("select count(*)::int as count from fulfilments");
    return row?.count ?? 0;
  };
  const wanted = (await rows()) + orders;
  const cpu = () => running.reduce((sum, one) => sum + one.cpuSeconds(), 0);
  const [before, ours, start] = [cpu(), process.cpuUsage(), performance.now()];
  await broker.publish(topic, Array.from({ length: orders }, placed));
  while ((await rows()) < wanted) {
    if (performance.now() - start > giveUpMs) throw new Error(`${orders} orders were not fulfilled in ${giveUpMs} ms`);
    await sleep(25);
  }
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(ours);
  const callerCores = (user + system) / 1e6 / seconds;
  return { perSecond: orders / seconds, cores: (cpu() - before) / seconds, callerCores };
}

function placed() {
  const orderId = randomUUIDv7();
  const items = [{ sku: "tea", quantity: 2 }];
  const event = { orderId, customerId: "bench", items, version: 1n, occurTime: new Date() };
  return createMessage({
    source: ordersEvents.source,
    type: "orders.v1.OrderPlaced",
    key: orderId,
    contentType: "application/protobuf",
    data: OrderPlaced.encode(event).finish(),
  });
}
