import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { spawnSupervised } from "../supervised.ts";
import { envoyArguments, type RunningEnvoy } from "./bootstrap.ts";

/** Returns true if this machine has the program envoy. */
export function hasEnvoy(): boolean {
  return spawnSync("envoy", ["--version"]).status === 0;
}

/** Starts the envoy on the PATH. It ends with this process. */
export async function startEnvoy(config: string): Promise<RunningEnvoy> {
  const child = spawnSupervised({ prefix: [] }, "envoy", envoyArguments(config), {
    environment: {},
    lastSignal: "INT",
  });
  const lines: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  const exited = once(child, "exit");
  return {
    log: async () => lines.join(""),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
