import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "@plumbline/tools-engines";
import { root } from "./stack.ts";

/** A line of a service's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message: string };

/** A service that runs on free ports. Disposing kills it if it still runs. */
export interface ServiceProcess extends AsyncDisposable {
  readonly port: number;
  readonly opsPort: number;
  readonly child: ChildProcess;
  /** Resolves with the exit code and the signal. */
  readonly exited: Promise<unknown[]>;
  /** Resolves with the first line that has this message. */
  logged(message: string): Promise<LogLine>;
}

/** Starts a service in TypeScript with these settings only. Resolves once it listens. */
export async function startService(name: string, settings: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const { child, lines, exited } = launch(name, settings, []);
  const logged = async (message: string): Promise<LogLine> => {
    const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const find = (): LogLine | undefined => lines.find((line) => line.message === message);
    const found = await eventually(find, (line) => line !== undefined || isOver(), 30_000);
    if (found !== undefined) return found;
    throw new Error(`${name} ended without the line "${message}": ${JSON.stringify(lines.slice(-3))}`);
  };
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  try {
    const { port, opsPort } = await logged(`${name} is listening`);
    return {
      port: Number(port),
      opsPort: Number(opsPort),
      child,
      exited,
      logged,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs a service with an argument, such as "migrate", to its end. Rejects if it fails. */
export async function runService(
  name: string,
  argument: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const { lines, exited } = launch(name, settings, [argument]);
  const [code] = await exited;
  if (code !== 0) throw new Error(`${name} ${argument} ended with ${code}: ${JSON.stringify(lines.slice(-3))}`);
}

function launch(name: string, settings: Readonly<Record<string, string>>, args: readonly string[]) {
  const child = spawn(process.execPath, ["-C", "source", join(root, `apps/${name}/src/main.ts`), ...args], {
    env: { PATH: process.env["PATH"], ...settings },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: LogLine[] = [];
  createInterface({ input: child.stdout }).on("line", (json) => lines.push(JSON.parse(json) as LogLine));
  return { child, lines, exited: once(child, "close") };
}
