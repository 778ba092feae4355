import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { sleep } from "@plumbline/concurrency";
import { defaultTransport } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { median } from "../compare.ts";
import { cpuPerCall, type Load, load } from "../competitors/load.ts";
import { machineOf } from "../competitors/machine.ts";
import { type Program, pinned, Running } from "../competitors/program.ts";
import { gateway, greeter, greeterGo, grpcGateway } from "../competitors/targets.ts";
import { openWorkshop, type Workshop } from "../competitors/workshop.ts";
import { eachRound } from "../each-round.ts";
import { interrupted } from "../interruption.ts";
import { markdown, ms as milliseconds } from "../markdown.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { type Cause, type Explained, explain, type Interval } from "./explain.ts";

export interface TailOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly rate: number;
  /** Percent of each one's peak at which it is called too. */
  readonly shares: readonly number[];
  /** Flags of Node for our services. */
  readonly flags: readonly string[];
  /** Parts of names: only targets with one of them are measured. */
  readonly names: readonly string[];
  readonly json: string | undefined;
}

interface Target {
  readonly name: string;
  readonly kind: "grpc" | "http";
  readonly program: Program;
  /** True for a Node process of ours, which says what it did. */
  readonly isOurs: boolean;
}

interface Measured {
  readonly name: string;
  readonly rate: number;
  readonly loads: readonly Load[];
  readonly causes: Explained[];
}

/** The time between two scrapes of the metrics, as in deploy/observability. */
const scrapeMs = 5_000;
const slowest = 0.01;

/**
 * Calls greeter and gateway, and their Go twins, at a fixed rate, and says what happened during
 * each of the slowest 1 % of the calls.
 */
export async function tail({ names, json, ...options }: TailOptions): Promise<void> {
  await using workshop = await openWorkshop("tail", { competitors: false });
  if (workshop === undefined) return;
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const all: Measured[] = [];
  const targets = (await targetsOf(workshop, options.flags)).filter(({ name }) =>
    names.some((part) => name.includes(part)),
  );
  for (const target of targets) {
    for (const measured of await measure(workshop, target, options)) {
      console.log(`${report(measured)}\n`);
      all.push(measured);
    }
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, options, all }, undefined, 2)}\n`);
}

async function targetsOf({ parts }: Workshop, flags: readonly string[]): Promise<Target[]> {
  const { go, upstream } = parts;
  const ours = async (name: string, kind: Target["kind"], program: Program): Promise<Target> => {
    const prefix = kind === "grpc" ? "GREETER" : "GATEWAY";
    const { GC_FILE: _, ...env } = program.env;
    const more = { [`${prefix}_OPS_PORT`]: `${await freePort()}`, TIMELINE_FILE: fileOf(parts.folder, program.port) };
    const preload = ["--import", join(import.meta.dirname, "timeline.ts")];
    const args = [...flags, ...preload, program.args.at(-1) ?? ""];
    return { name, kind, isOurs: true, program: { ...program, args, env: { ...env, ...more } } };
  };
  const transport = defaultTransport;
  const found = [
    await ours(`greeter (${transport})`, "grpc", greeter(parts, "full", transport)(await freePort())),
    await ours(`gateway (${transport})`, "http", gateway(parts, "full", transport)(await freePort(), upstream)),
  ];
  if (go === undefined) return found;
  return [
    ...found,
    { name: "greeter-go", kind: "grpc", isOurs: false, program: greeterGo(go, "full")(await freePort()) },
    { name: "grpc-gateway", kind: "http", isOurs: false, program: grpcGateway(go, "full")(await freePort(), upstream) },
  ];
}

async function measure(
  workshop: Workshop,
  target: Target,
  { rounds, ms, rate, shares }: Pick<TailOptions, "rounds" | "ms" | "rate" | "shares">,
): Promise<Measured[]> {
  const { parts, generator } = workshop;
  const { name, kind, program } = target;
  await using running = await Running.start(program, 0, parts.folder);
  await warmUp(name, () => cpuPerCall(running, () => load(generator, kind, program.port, 1_000)));
  const { calls, seconds } = await load(generator, kind, program.port, 2_000);
  const rates = [rate, ...shares.map((share) => Math.round((calls / seconds) * (share / 100)))];
  const all: Measured[] = [];
  for (const one of rates) all.push(await measureAt(workshop, target, running, { rounds, ms, rate: one }));
  return all;
}

async function measureAt(
  { parts, generator }: Workshop,
  { name, kind, program, isOurs }: Target,
  running: Running,
  { rounds, ms, rate }: Pick<TailOptions, "rounds" | "ms" | "rate">,
): Promise<Measured> {
  await load(generator, kind, program.port, 2_000, rate);
  const opsPort = isOurs ? Number(program.env["GREETER_OPS_PORT"] ?? program.env["GATEWAY_OPS_PORT"]) : undefined;
  const loads: Load[] = [];
  const sums = new Map<string, { cause: string; calls: number; ms: number }>();
  for (const _ of eachRound(rounds, `${name} at ${rate}/s`)) {
    if (isOurs) await timelineOf(running, parts.folder); // Its events from before do not count.
    const scrapes = new Scrapes(opsPort);
    const watching = watch(join(parts.folder, "watch"), running.pid, isOurs, ms + 500);
    const seen = await load(generator, kind, program.port, ms, rate, { slow: slowest });
    scrapes.stop();
    const machine = await watching;
    const own = isOurs ? await timelineOf(running, parts.folder) : {};
    loads.push(seen);
    if (seen.slow === undefined) throw new Error("the load generator lists no slow calls");
    for (const { cause, calls, ms: took } of explain(seen.slow, causesOf(own, scrapes.at, machine, running.pid))) {
      const sum = sums.get(cause) ?? { cause, calls: 0, ms: 0 };
      sums.set(cause, { cause, calls: sum.calls + calls, ms: sum.ms + took });
    }
  }
  return { name, rate, loads, causes: [...sums.values()] };
}

interface Machine {
  readonly waited: Readonly<Record<string, readonly Interval[]>>;
  readonly stolen: readonly Interval[];
  readonly busy: readonly Interval[];
}

/** Returns all causes, the most certain first. */
function causesOf(
  own: Readonly<Record<string, readonly Interval[]>>,
  scrapes: readonly Interval[],
  { waited, stolen, busy }: Machine,
  pid: number,
): Cause[] {
  const causes = Object.keys(own)
    .sort()
    .map((name) => ({ name, at: own[name] ?? [] }));
  // Threads of the collector may take the core from the loop that waits for them. Otherwise a
  // service that waits for its core has not caused what it does meanwhile.
  return [
    ...causes.filter(({ name }) => name.startsWith("collector")),
    { name: "it waited for its core", at: waited[pid] ?? [] },
    { name: "the hypervisor took a core", at: stolen },
    { name: "log lines written", at: own["log lines written"] ?? [] },
    { name: "metrics scraped", at: scrapes },
    { name: "the core of caller and upstream was busy", at: busy },
    { name: busyLoop, at: own[busyLoop] ?? [] },
  ];
}

const busyLoop = "event loop busy, reason not known";

/** Watches the threads of a process, of a Node process the one with the event loop. */
async function watch(command: string, pid: number, isNode: boolean, ms: number): Promise<Machine> {
  const args = [isNode ? "-mains" : "-pids", `${pid}`, "-duration", `${ms}ms`];
  const { stdout } = await promisify(execFile)(...pinned(1, command, args), {
    timeout: ms + 20_000,
    signal: interrupted,
    env: { ...process.env, GOMAXPROCS: "1" },
    maxBuffer: 64 * 2 ** 20,
  });
  return JSON.parse(stdout) as Machine;
}

/** Scrapes metrics as Prometheus would, and keeps when it did. */
class Scrapes {
  readonly at: Interval[] = [];
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(port: number | undefined) {
    if (port === undefined) return;
    const scrape = async () => {
      const from = now();
      await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
      this.at.push({ from, to: now() });
    };
    this.#timer = setInterval(() => void scrape().catch(() => undefined), scrapeMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Returns the time of the clock that all processes of the machine share, in ms. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function fileOf(folder: string, port: number): string {
  return join(folder, `timeline-${port}.json`);
}

/** Returns what a process of ours did since it was last asked. Rejects if it does not say so. */
async function timelineOf(running: Running, folder: string): Promise<Record<string, Interval[]>> {
  const file = fileOf(folder, running.port);
  rmSync(file, { force: true });
  running.signal("SIGUSR2");
  const giveUpAt = performance.now() + 10_000;
  while (!existsSync(file)) {
    interrupted.throwIfAborted();
    if (performance.now() > giveUpAt) throw new Error("the measured process does not say what it did");
    await sleep(20);
  }
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, Interval[]>;
}

function report({ name, rate, loads, causes }: Measured): string {
  const of = (key: "p50" | "p99" | "p999") => milliseconds(median(loads.map((one) => one[key])) / 1_000);
  const usual = (key: "usualLate" | "usualService") => median(loads.map(({ slow }) => slow?.[key] ?? 0)).toFixed(2);
  const calls = causes.reduce((sum, one) => sum + one.calls, 0);
  const total = causes.reduce((sum, one) => sum + one.ms, 0);
  const percent = (part: number, whole: number) => (whole === 0 ? "" : `${((part / whole) * 100).toFixed(0)} %`);
  const rows = causes
    .filter((one) => one.ms > 0)
    .sort((a, b) => b.ms - a.ms)
    .map((one) => [one.cause, `${one.calls}`, percent(one.calls, calls), percent(one.ms, total)]);
  const head = ["cause", "slow calls of which it is the largest part", "of them", "of their time beyond the usual"];
  return [
    `${name} at ${rate}/s: p50 / p99 / p99.9 ${of("p50")} / ${of("p99")} / ${of("p999")} ms; a call is usually sent ${usual("usualLate")} ms after it is due, and answered ${usual("usualService")} ms later. The slowest 1 % are ${calls} calls.`,
    "",
    markdown([head, ...rows]),
  ].join("\n");
}
