import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { generate, goBuild, whyNoGo } from "@plumbline/go";
import { installPeers } from "./install.ts";
import { type Measured, measure, startTimes } from "./measure.ts";
import { canPin, freePort, Running } from "./program.ts";
import { ratios } from "./ratios.ts";
import { markdown, spread, table } from "./report.ts";
import { type Group, targets, upstream } from "./targets.ts";

export interface PeersOptions {
  readonly rounds: number;
  readonly only: readonly string[];
  /** Parts of names: targets that have none of them are left out. */
  readonly names: readonly string[];
  readonly ms: number;
  readonly rate: number;
  readonly json: string | undefined;
}

const root = resolve(import.meta.dirname, "../../../..");

/** Our services beside what else a user would pick, in one run. Prints tables and ratios; `json` names a file for everything. */
export async function peers({ rounds, only, names, ms, rate, json }: PeersOptions): Promise<void> {
  const why = whyNoGo(join(root, "tools/bench/go"));
  if (why !== undefined) {
    console.log(`SKIPPED  peers: the load generator and half of the peers are Go programs, and ${why}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "plumbline-bench-"));
  try {
    buildOurs();
    const go = buildGo(folder);
    const peers = installPeers(root);
    const collector = await startCollector();
    await using _ = { [Symbol.asyncDispose]: async () => void collector.server.close() };
    const port = await freePort();
    const parts = { root, go, peers, folder, upstream: port, collector: collector.url };
    await using _upstream = await Running.start(upstream(parts, port), 1, folder);
    const all = (await targets(parts)).filter(({ name }) => names.some((part) => name.includes(part)));

    const machine = machineOf();
    console.log(`\n${machine}\n`);
    const measured: Measured[] = [];
    for (const group of ["rpc", "gateway", "chain"] as const satisfies readonly Group[]) {
      if (!only.includes(group)) continue;
      const plan = { generator: join(go, "load"), folder, rounds, ms, rate };
      measured.push(
        ...(await measure(
          all.filter((target) => target.group === group),
          plan,
        )),
      );
      console.log(`${table(group, measured, rate)}\n`);
    }
    const found = ratios(measured);
    if (found.length > 0) {
      const rows = found.map(({ name, value, aim, met }) => [name, value.toFixed(2), aim, met ? "yes" : "no"]);
      console.log(`${markdown([["ratio", "found", "aim", "met"], ...rows])}\n`);
    }
    const starts = only.includes("start") ? await startTimes(started(all), rounds, folder) : new Map();
    if (starts.size > 0) {
      const rows = [...starts].map(([{ name, mode }, times]) => [name, mode, spread(times)]);
      console.log(`${markdown([["start to first connection", "mode", "ms"], ...rows])}\n`);
    }
    if (json !== undefined) {
      const starting = [...starts].map(([{ name, mode }, times]) => ({ name, mode, times }));
      writeFileSync(json, `${JSON.stringify({ machine, measured, ratios: found, starting }, replacer, 2)}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In the modes people run: full where there is one. */
function started(all: Awaited<ReturnType<typeof targets>>) {
  return all.filter(({ group, mode }) => group !== "chain" && (mode === "full" || group === "rpc"));
}

function buildOurs(): void {
  const projects = "@plumbline/gateway,@plumbline/greeter,@plumbline/greeter-go";
  const { status } = spawnSync(join(root, "node_modules/.bin/nx"), ["run-many", "-t", "build", "-p", projects], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`the services could not be built: npx nx run-many -t build -p ${projects}`);
}

function buildGo(folder: string): string {
  const module = join(root, "tools/bench/go");
  if (!existsSync(join(module, "gen"))) generate(root, module);
  for (const name of ["load", "bare", "gateway"]) goBuild(module, `./${name}`, join(folder, name));
  goBuild(join(root, "apps/greeter-go"), ".", join(folder, "greeter-go"));
  return folder;
}

/** Takes spans and forgets them. */
async function startCollector(): Promise<{ readonly url: string; readonly server: ReturnType<typeof createServer> }> {
  const port = await freePort();
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${port}`, server };
}

function machineOf(): string {
  const [cpu] = cpus();
  const load = readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
  const go = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" }).stdout.trim();
  const pinning = canPin
    ? "measured processes pinned to one core, load generator and upstream to another"
    : "processes not pinned: no taskset, or one core";
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpu?.model ?? "unknown CPU"}, load average ${load}, Node ${process.version}, ${go}; ${pinning}`;
}

/** Of a sample everything is kept but what the target's processes were started with. */
function replacer(key: string, value: unknown): unknown {
  return key === "programs" ? undefined : value;
}
