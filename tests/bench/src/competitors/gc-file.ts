import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "@plumbline/concurrency";
import type { Running } from "./program.ts";

/** Returns the file to which the process on `port` writes its pauses: see gc.ts. */
export function gcFile(folder: string, port: number): string {
  return join(folder, `gc-${port}.json`);
}

/** The delays of an event loop: how late the ticks of a timer of 10 ms came, in ms. */
export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface GcReport {
  /** The garbage collector's pauses, in ms. */
  readonly pauses: readonly number[];
  readonly delay?: Delay;
}

/**
 * Returns the pauses of a process since it was last asked, in ms; none if it does not answer within
 * 2 s.
 */
export async function pausesOf(running: Running, file: string): Promise<number[]> {
  return [...(await reportOf(running, file)).pauses];
}

/**
 * Returns what a process saw of its collector and its event loop since it was last asked; no pauses
 * if it does not answer within 2 s.
 */
export async function reportOf(running: Running, file: string): Promise<GcReport> {
  rmSync(file, { force: true });
  running.signal("SIGUSR2");
  for (let waited = 0; waited < 2_000; waited += 20) {
    await sleep(20);
    if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as GcReport;
  }
  return { pauses: [] };
}
