/** The way to a cluster: the test cluster of PLUMBLINE_CLUSTER, or a named context of kubectl. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { onAbort } from "@plumbline/concurrency";
import { UsageError } from "../command/options.ts";
import { toolFolder } from "./programs.ts";

const root = resolve(import.meta.dirname, "../../../..");

/** The longest time that one command of kubectl or helm may take. */
const commandMs = 600_000;

/** A cluster that commands reach. */
export interface Reach {
  /** Addresses of pods lead there from this process. */
  readonly isDirect: boolean;
  /** Returns what kubectl printed. Rejects with its complaint. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Returns what kubectl printed until it ended or the signal aborted. */
  watched(args: readonly string[], signal: AbortSignal): Promise<string>;
  /** Passes on each line that kubectl prints until it ended or the signal aborted. */
  followed(args: readonly string[], signal: AbortSignal, onLine: (line: string) => void): Promise<void>;
  /** Returns what helm printed. Rejects with its complaint. */
  helm(args: readonly string[]): Promise<string>;
}

/**
 * A folder with the commands `up`, `down`, `load-image IMAGE...` and `in COMMAND...`, which runs a
 * command in the network of the cluster.
 */
export interface TestCluster {
  readonly folder: string;
  /** Runs one of its commands, with output for the terminal. Rejects if it fails. */
  run(command: "up" | "down" | "load-image", ...args: readonly string[]): Promise<void>;
  /** Runs a command in the network of the cluster, and returns its exit code. */
  inside(command: readonly string[], variables?: Readonly<Record<string, string>>): Promise<number>;
}

/** Returns the test cluster that PLUMBLINE_CLUSTER names. Throws if it is none. */
export function testCluster(): TestCluster | undefined {
  const folder = process.env["PLUMBLINE_CLUSTER"];
  if (folder === undefined || folder === "") return undefined;
  const missing = ["up", "down", "load-image", "in"].filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) throw new UsageError(`PLUMBLINE_CLUSTER=${folder} has no command ${missing.join(", ")}`);
  return {
    folder,
    async run(command, ...args) {
      const code = await shown([join(folder, command), ...args]);
      if (code !== 0) throw new Error(`${join(folder, command)} ended with ${code}`);
    },
    inside: (command, variables) => shown([join(folder, "in"), ...command], variables),
  };
}

/**
 * Returns how commands reach the cluster. A context must be named, so that no cluster is used by
 * accident; only inside the network of the test cluster it need not be.
 */
export function reachCluster(context: string | undefined, isInside: boolean): Reach {
  if (context === undefined && !isInside) {
    throw new UsageError("name the cluster: --context NAME, or PLUMBLINE_CLUSTER for a test cluster");
  }
  const named = (option: string) => (context === undefined ? [] : [option, context]);
  return {
    isDirect: isInside,
    kubectl: (args, input) => output(["kubectl", ...named("--context"), ...args], input),
    async watched(args, signal) {
      const lines: string[] = [];
      await linesUntil(["kubectl", ...named("--context"), ...args], signal, (line) => lines.push(line));
      return lines.join("\n");
    },
    followed: (args, signal, onLine) => linesUntil(["kubectl", ...named("--context"), ...args], signal, onLine),
    helm: (args) => output(["helm", ...named("--kube-context"), ...args]),
  };
}

function variablesWithTools(variables: Readonly<Record<string, string>> = {}) {
  return { ...process.env, PATH: `${process.env["PATH"] ?? ""}${delimiter}${toolFolder}`, ...variables };
}

/** Runs a command whose output is for the terminal, and returns its exit code. */
export async function shown(
  [program = "", ...args]: readonly string[],
  variables?: Readonly<Record<string, string>>,
): Promise<number> {
  const child = spawn(program, args, { cwd: root, env: variablesWithTools(variables), stdio: "inherit" });
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? 1;
}

async function linesUntil(
  [program = "", ...args]: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  const child = spawn(program, args, { cwd: root, env: variablesWithTools(), stdio: ["ignore", "pipe", "ignore"] });
  using _stop = onAbort(signal, () => void child.kill());
  createInterface(child.stdout).on("line", onLine);
  await once(child, "close");
}

async function output([program = "", ...args]: readonly string[], input?: string): Promise<string> {
  const child = spawn(program, args, {
    cwd: root,
    env: variablesWithTools(),
    stdio: ["pipe", "pipe", "pipe"],
    timeout: commandMs,
  });
  child.stdin.on("error", () => undefined); // The program may end before it has read everything.
  child.stdin.end(input ?? "");
  try {
    const [out, complaint, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number | null]>,
    ]);
    if (code !== 0)
      throw new Error(`${program} ${args.slice(0, 6).join(" ")} ended with ${code}:\n${complaint.trim()}`);
    return out;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error(`${program} is neither on PATH nor in ${toolFolder}`, { cause: error });
  }
}
