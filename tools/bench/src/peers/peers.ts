import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { whyNoGo } from "@plumbline/go";
import { buildGo, buildOurs } from "./build.ts";
import { installPeers } from "./install.ts";
import { machineOf } from "./machine.ts";
import { type Measured, measure, startTimes } from "./measure.ts";
import { freePort, Running } from "./program.ts";
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
    buildOurs(root);
    const go = buildGo(root, folder);
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

/** Takes spans and forgets them. */
async function startCollector(): Promise<{ readonly url: string; readonly server: ReturnType<typeof createServer> }> {
  const port = await freePort();
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${port}`, server };
}

/** Of a sample everything is kept but what the target's processes were started with. */
function replacer(key: string, value: unknown): unknown {
  return key === "programs" ? undefined : value;
}
