import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "@plumbline/concurrency";
import type { Running } from "./program.ts";

/** Returns the file to which the process on `port` writes its pauses: see gc.ts. */
export function gcFile(folder: string, port: number): string {
  return join(folder, `gc-${port}.json`);
}

/**
 * Returns the pauses of a process since it was last asked, in ms; none if it does not answer within
 * 2 s.
 */
export async function pausesOf(running: Running, file: string): Promise<number[]> {
  rmSync(file, { force: true });
  running.signal("SIGUSR2");
  for (let waited = 0; waited < 2_000; waited += 20) {
    await sleep(20);
    if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as number[];
  }
  return [];
}
