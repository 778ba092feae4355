import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Ran } from "./claim.ts";

export interface RunOptions {
  readonly root: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly ms: number;
}

const keptCharacters = 1_000_000;

/** Runs a script of shell, at most `ms`. The processes that it started end with it. */
export async function runCommand(script: string, { root, environment, ms }: RunOptions): Promise<Ran> {
  const child = spawn("sh", ["-c", script], {
    cwd: root,
    env: { ...(environment ?? process.env), NO_COLOR: "1", FORCE_COLOR: "0" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output = `${output}${text}`.slice(-keptCharacters)));
  }
  const timer = setTimeout(() => {
    output += `\nstopped after ${ms / 1_000} s`;
    endGroup(child.pid, "SIGKILL");
  }, ms);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  endGroup(child.pid, "SIGKILL");
  return { code, output };
}

/** Sends a signal to a process and all that it started in its group. */
export function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended.
  }
}
