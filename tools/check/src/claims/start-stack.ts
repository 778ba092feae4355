import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endGroup } from "./run-command.ts";

const portsOfStack = 16;
const startMs = 180_000;
const stopMs = 30_000;

/** A stack as `npm start` gives it, with no data, on ports that are free. */
export interface RunningStack extends AsyncDisposable {
  readonly port: number;
  /** The folder of the token files. */
  readonly tokens: string;
  /** The text that it printed until it was ready. */
  readonly output: string;
}

/** Starts a stack and waits until it is ready. Rejects with its last lines if it is not. */
export async function startStack(root: string): Promise<RunningStack> {
  const port = await freePorts();
  const data = mkdtempSync(join(tmpdir(), "plumbline-claims-"));
  const child = spawn("npm", ["start", "--", "--ports-from", String(port), "--data", data, "--fresh"], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const closed = once(child, "close");
  let output = "";
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = `${output}${text}`.slice(-20_000);
      if (/^Ready after/m.test(output)) ready.resolve();
    });
  }
  const stop = async () => {
    endGroup(child.pid, "SIGTERM");
    const timer = setTimeout(() => endGroup(child.pid, "SIGKILL"), stopMs);
    await closed;
    clearTimeout(timer);
    rmSync(data, { recursive: true, force: true });
  };
  const timer = setTimeout(() => ready.reject(new Error(`not ready after ${startMs / 1_000} s`)), startMs);
  try {
    await Promise.race([ready.promise, closed.then(() => Promise.reject(new Error("it ended")))]);
  } catch (error) {
    await stop();
    throw new Error(`the stack did not start: ${(error as Error).message}\n${output.slice(-2_000)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  return { port, tokens: join(data, "tokens"), output, [Symbol.asyncDispose]: stop };
}

// Ports below those that the system gives to outgoing connections.
async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * 500) * 20;
    const free = await Promise.all(Array.from({ length: portsOfStack }, (_, offset) => isFree(first + offset)));
    if (free.every(Boolean)) return first;
  }
  throw new Error("no free ports were found from 20000 to 30000");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false)).listen(port, () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
