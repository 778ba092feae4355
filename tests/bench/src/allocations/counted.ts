import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "@plumbline/concurrency";
import { type Core, type Program, Running } from "../competitors/program.ts";

/** A started Node process that says how much it has allocated. */
export interface Counted {
  readonly running: Running;
  readonly file: string;
}

/** Starts a program whose command is Node. Its reports are files in `folder`. */
export async function startCounted(program: Program, core: Core, folder: string): Promise<Counted> {
  const file = join(folder, `allocated-${program.port}`);
  const preload = ["--import", join(import.meta.dirname, "preload.ts")];
  const counting = { ...program, args: [...preload, ...program.args], env: { ...program.env, ALLOCATED_FILE: file } };
  return { running: await Running.start(counting, core, folder), file };
}

/**
 * Returns the bytes that the process has allocated since its start; rejects if it does not say so
 * within 5 s.
 */
export async function allocatedBytes({ running, file }: Counted): Promise<number> {
  rmSync(file, { force: true });
  running.signal("SIGUSR2");
  const giveUpAt = performance.now() + 5_000;
  while (!existsSync(file)) {
    if (performance.now() > giveUpAt) throw new Error("the measured process does not report its allocations");
    await sleep(5);
  }
  return Number(readFileSync(file, "utf8"));
}
