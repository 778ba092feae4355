/** The attacker and another client as two containers on network `edge` of docker-compose.yml. */

import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  authorizationFor,
  type ComposeStack,
  containers,
  openCompose,
  ownServices,
  type Transport,
  table,
} from "@plumbline/tools-stack";
import { placed, setSupplierAt, type VictimsReport } from "../api.ts";
import type { Attack, Outcome } from "../attack.ts";
import { bigPages, unreadAnswers } from "../attacks/answers.ts";
import { slowBody } from "../attacks/bodies.ts";
import { manyConnections } from "../attacks/connections.ts";
import { idleStreams, pendingItem } from "../attacks/streams.ts";
import { actAs } from "../callers.ts";
import { composeLimits } from "../fairness/memory.ts";
import type { Result } from "../run.ts";
import type { Reached, Role } from "./client.ts";
import { addressesOf, ContainerWatch } from "./container-watch.ts";
import { EdgeClients } from "./edge-client.ts";

const root = resolve(import.meta.dirname, "../../../..");
const mebibyte = 1_048_576;

interface ComposeAttack extends Pick<Attack, "name" | "right"> {
  run(surroundings: Surroundings): Promise<Outcome>;
}

interface Surroundings {
  readonly project: string;
  readonly stack: ComposeStack;
  readonly clients: EdgeClients;
  readonly full: boolean;
}

const others = "other clients get 200";
const alive = "no container dies or runs out of memory";

/** The attacks in which memory or networks matter. */
export const composeAttacks: readonly ComposeAttack[] = [
  {
    name: "networks",
    right: "a container on edge reaches the gateway alone: no engine, no other network, no published port",
    run: tryNetworks,
  },
  { name: slowBody.name, right: `${others}; ${alive}`, run: (given) => besideVictim(given, "sendHeads") },
  {
    name: idleStreams.name,
    right: `${others}; ${alive}`,
    async run(given) {
      const supplier = await given.stack.supplier();
      const [gateway = ""] = await given.stack.gateways();
      await setSupplierAt(supplier, { failing: [pendingItem.sku] });
      try {
        return await besideVictim(given, "holdStreams", await placed(gateway, "streams", [pendingItem]));
      } finally {
        await setSupplierAt(supplier, { failing: [] });
      }
    },
  },
  { name: unreadAnswers.name, right: `${others}; ${alive}`, run: (given) => besideVictim(given, "leaveAnswers") },
  { name: bigPages.name, right: `${others}; ${alive}`, run: (given) => besideVictim(given, "askPages") },
  { name: manyConnections.name, right: `${others}; ${alive}`, run: (given) => besideVictim(given, "holdConnections") },
];

/** Attacks from one container while another one is a client. */
async function besideVictim({ clients, full }: Surroundings, role: Role, ...given: string[]): Promise<Outcome> {
  const victim = clients.start<VictimsReport>("victim");
  const assault = await clients.start<Outcome>(role, [full ? "full" : "short", ...given]).end();
  const { seen, misses } = await victim.end();
  return { sent: assault.sent, seen: `${seen}; ${assault.seen}`, misses: [...misses, ...assault.misses] };
}

/** The ports of each container. The gateway's ops port is open to network edge. */
const ports: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(ownServices.map(({ name, port }) => [name, [port, 9_464]])),
  supplier: [8_090],
  issuer: [8_091],
  postgres: [5_432],
  kafka: [9_092, 9_093, 9_094, 19_092],
  redis: [6_379],
};

async function tryNetworks({ project, stack, clients }: Surroundings): Promise<Outcome> {
  const { forbidden, open } = await addressesOf(project, await containers(stack.variables), ports);
  const tried = [...forbidden, ...open];
  const reached = new Set(await clients.start<Reached[]>("reach", tried).end());
  return {
    sent: tried.length,
    seen: `reached ${reached.size}, of the gateway on edge`,
    misses: [
      ...forbidden.filter((address) => reached.has(address)).map((address) => `${address} was reached`),
      ...open.filter((address) => !reached.has(address)).map((address) => `${address} was not reached`),
    ],
  };
}

/** Returns the fields of ten callers, each with a rate and shares of its own. */
async function operators(gateway: string, first: number): Promise<string[]> {
  const names = Array.from({ length: 10 }, (_, index) => `operator-${first + index}`);
  return await Promise.all(names.map(async (name) => (await authorizationFor(gateway, name))["authorization"] ?? ""));
}

export interface ComposeRun {
  readonly results: readonly Result[];
  /** The largest memory of each container beside its limit. */
  readonly memory: string;
  /** The containers without a sample. */
  readonly notMeasured: readonly string[];
}

/** Starts the stack, and runs the attacks whose name has `only` in it. `print` gets each result. */
export async function attackCompose(
  transport: Transport,
  wanted: readonly ComposeAttack[],
  full: boolean,
  print: (result: Result) => void,
): Promise<ComposeRun> {
  // Fixed, so that a run removes what an interrupted one left.
  const project = "plumbline-attacks";
  await using stack = await openCompose({ project, tag: "attacks", transport });
  const [gateway = ""] = await stack.gateways();
  const honest = await operators(gateway, 1);
  const attackers = await operators(gateway, 11);
  actAs(honest);
  const isHonest = (role: Role) => role === "seed" || role === "victim";
  await using clients = await EdgeClients.open(project, (role) => (isHonest(role) ? honest : attackers));
  const started = (await containers(stack.variables)).filter(({ State }) => State === "running");
  await using watch = new ContainerWatch(started);
  // Its orders are placed by another address than the attacker's or the victim's.
  await clients.start("seed").end();
  const results: Result[] = [];
  for (const attack of wanted) {
    const began = performance.now();
    const outcome = await attack
      .run({ project, stack, clients, full })
      .catch((error: unknown): Outcome => ({ sent: 0, seen: "gave up", misses: [String(error)] }));
    await sleep(2_000); // For the last samples and events.
    const misses = [...outcome.misses, ...watch.takeDeaths()];
    const result = { ...outcome, misses, attack, seconds: (performance.now() - began) / 1_000 };
    results.push(result);
    print(result);
  }
  const limits = composeLimits(root);
  const rows = started.map(({ Service }) => [
    Service,
    `${Math.round(watch.peakOf(Service) / mebibyte)} MiB`,
    `${Math.round((limits.get(Service) ?? 0) / mebibyte)} MiB`,
  ]);
  const notMeasured = started.map(({ Service }) => Service).filter((service) => watch.peakOf(service) === 0);
  return { results, notMeasured, memory: table(["container", "most memory", "limit"], rows) };
}
