import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

const canPin = availableParallelism() >= 2 && spawnSync("taskset", ["-V"]).status === 0;

/**
 * Moves this process to a core, and with it all that it starts from now on. Returns false if it
 * cannot.
 */
export function pinTo(core: number): boolean {
  return canPin && spawnSync("taskset", ["-acp", `${core}`, `${process.pid}`]).status === 0;
}
