/** One client at its limit beside another one, and the same requests from many polite clients. */
import { spawnSync } from "node:child_process";
import type { Socket } from "node:net";
import { join, resolve } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { type LoadResult, steadyLoad } from "@plumbline/load";
import { ownServices, settingsPrefix, type Transport, table } from "@plumbline/tools-stack";
import { base, call, place, seedBigPage, settled } from "../api.ts";
import { Tally } from "../sockets.ts";
import { openTarget, type RunningTarget } from "../target.ts";
import type { FairnessCase, Senders } from "./cases.ts";
import { composeLimits, Peaks } from "./memory.ts";
import { pinTo } from "./pin.ts";
import { together, verdictOf } from "./verdict.ts";

const root = resolve(import.meta.dirname, "../../../..");
const [loadCore, stackCore] = [0, 1];
const mebibyte = 1_048_576;
const politeClients = 100;
const turns = 3;

export interface FairnessOptions {
  readonly transports: readonly Transport[];
  /** Seconds of each half of a case. */
  readonly seconds: number;
  readonly cases: readonly FairnessCase[];
}

/** Runs every case, prints a row for each, and returns false if one misses its aim. */
export async function fairness({ transports, seconds, cases }: FairnessOptions): Promise<boolean> {
  build();
  const rows = [["one client", "requests/s", "transport", "success", "p99 beside it", "beside polite", "ratio", ""]];
  const peaks = new Map<string, number>();
  const limits = composeLimits(root);
  const misses: string[] = [];
  for (const transport of transports) {
    const isPinned = pinTo(stackCore);
    await using target = await openTarget(transport, { entry: "bundle", environment: asInContainers(limits) });
    pinTo(loadCore);
    console.log(
      isPinned
        ? `Calls over ${transport}: the stack on core ${stackCore}, all clients on core ${loadCore}`
        : `Calls over ${transport}: nothing is pinned, for want of taskset or a second core`,
    );
    await seedBigPage(target);
    await warm(target);
    using watched = new Peaks(target.processes);
    for (const [index, one] of cases.entries()) {
      const beside = await measure(one, target, `127.0.66.${index + 1}`, seconds);
      const { control, attack } = beside;
      const { p99, politeP99, ratio, isMet } = verdictOf(attack, control);
      rows.push([
        one.name,
        `${one.perSecond}`,
        transport,
        `${attack.sent - attack.failed} of ${attack.sent}`,
        `${p99.toFixed(0)} ms`,
        `${politeP99.toFixed(0)} ms`,
        ratio.toFixed(2),
        isMet ? "met" : "MISSED",
      ]);
      console.log(`  ${one.name}: ${rows.at(-1)?.slice(3).join(", ")}`);
      console.log(`    polite clients got ${beside.polite}; other clients' failures: ${failuresOf(attack, control)}`);
      if (!isMet) misses.push(`${one.name} over ${transport}`);
    }
    for (const process of target.processes) {
      const bytes = watched.of(process);
      peaks.set(process.name, Math.max(peaks.get(process.name) ?? 0, bytes));
      if (bytes > (limits.get(process.name) ?? 0)) misses.push(`memory of ${process.name} over ${transport}`);
    }
    if (target.restarts() > 0) misses.push(`${target.restarts()} programs died over ${transport}`);
  }
  console.log(`\n${table(rows[0] as string[], rows.slice(1))}\n`);
  console.log(
    table(
      ["process", "peak memory", "limit of its container"],
      [...peaks].map(([name, bytes]) => [name, mib(bytes), mib(limits.get(name) ?? 0)]),
    ),
  );
  console.log(misses.length === 0 ? "\nall met" : `\nMISSED: ${misses.join("; ")}`);
  return misses.length === 0;
}

/** Measures both in turns, so that a slow moment of the machine falls on either. */
async function measure(one: FairnessCase, target: RunningTarget, attacker: string, seconds: number) {
  await using senders = await one.start(target);
  const polite = new Tally();
  const control: LoadResult[] = [];
  const attack: LoadResult[] = [];
  const politely = async (index: number) => {
    polite.add(await senders.polite(index, `127.0.67.${1 + (index % politeClients)}`));
  };
  for (let turn = 0; turn < turns; turn++) {
    control.push(await beside(one, target, seconds / turns, politely));
    await sleep(1_000);
    attack.push(await beside(one, target, seconds / turns, hostileOf(senders, attacker)));
    await sleep(1_000);
  }
  return { control: together(control), attack: together(attack), polite };
}

function hostileOf({ hostile }: Senders, attacker: string) {
  return async (index: number, held: Set<Socket>) => {
    const socket = hostile(index, attacker);
    if (socket === undefined || held.has(socket)) return;
    held.add(socket);
    socket.once("close", () => held.delete(socket));
  };
}

/** Measures the other client while requests are sent beside it. */
async function beside(
  one: FairnessCase,
  target: RunningTarget,
  seconds: number,
  send: (index: number, held: Set<Socket>) => Promise<void>,
): Promise<LoadResult> {
  const held = new Set<Socket>();
  const over = AbortSignal.timeout(seconds * 1_000);
  const attack = async (index: number): Promise<undefined> => {
    await send(index, held);
  };
  const sending = steadyLoad(one.perSecond, attack, over);
  try {
    return await (one.victim === "orders" ? orders(target, over) : requests(target, over));
  } finally {
    await sending;
    for (const socket of held) socket.destroy();
  }
}

/**
 * Sends the other client's requests: orders placed, read and listed, and greetings. Each second one
 * takes a new connection.
 */
function requests(target: RunningTarget, over: AbortSignal): Promise<LoadResult> {
  const ids: string[] = [];
  return steadyLoad(
    40,
    async (index) => {
      const kind = (index >> 1) % 4;
      const headers: Record<string, string> = index % 2 === 0 ? {} : { connection: "close" };
      const id = ids[0];
      if (kind === 0) {
        const { status, body } = await place(target, "other");
        if (status !== 200) return `an order: ${status}`;
        ids.unshift((JSON.parse(body) as { readonly id: string }).id);
        return undefined;
      }
      const path =
        kind === 1 && id !== undefined
          ? `orders/${id}`
          : kind === 2
            ? "orders?customerId=other&pageSize=5"
            : "greetings/other";
      const { status } = await call(`${base(target)}/v1/${path}`, { headers });
      return status === 200 ? undefined : `${path}: ${status}`;
    },
    over,
  );
}

/** Places the other client's orders, and awaits the end of each. */
function orders(target: RunningTarget, over: AbortSignal): Promise<LoadResult> {
  return steadyLoad(
    5,
    async () => {
      const { status, body } = await place(target, "other");
      if (status !== 200) return `an order: ${status}`;
      const took = await settled(target, (JSON.parse(body) as { readonly id: string }).id, 30_000);
      return took === undefined ? "an order is not settled after 30 s" : undefined;
    },
    over,
  );
}

/** Runs every path of the other client until the programs are compiled. */
async function warm(target: RunningTarget): Promise<void> {
  await requests(target, AbortSignal.timeout(8_000));
}

/**
 * Bounds memory as the containers do: the heap by half of the limit, octets held by a sixth. V8's
 * young generation is what it chooses in a container of less than 512 MiB.
 */
function asInContainers(limits: ReadonlyMap<string, number>): Record<string, string> {
  const limitOf = (name: string) => limits.get(name) ?? Number.NaN;
  return {
    NODE_OPTIONS: `--max-old-space-size=${limitOf("gateway") / 2 / mebibyte} --max-semi-space-size=2`,
    ...Object.fromEntries(
      ownServices
        .filter(({ name }) => name !== "gateway")
        .map(({ name }) => [`${settingsPrefix(name)}_RPC_MAX_HELD_BYTES`, `${Math.floor(limitOf(name) / 6)}`]),
    ),
  };
}

function build(): void {
  const projects = ownServices.map(({ name }) => `@plumbline/${name}`).join(",");
  const { status } = spawnSync(join(root, "node_modules/.bin/nx"), ["run-many", "-t", "build", "-p", projects], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`the services could not be built: npx nx run-many -t build -p ${projects}`);
}

function failuresOf(attack: LoadResult, control: LoadResult): string {
  const text = ({ failures }: LoadResult) =>
    failures.size === 0 ? "none" : [...failures].map(([what, count]) => `${count} x ${what}`).join(", ");
  return `${text(attack)}; beside polite clients ${text(control)}`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}
