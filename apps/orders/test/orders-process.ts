import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { OrdersService } from "@plumbline/contracts";
import { connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import type { OrdersClient } from "./service.ts";

const entry = fileURLToPath(new URL("../src/main.ts", import.meta.url));
/** The most characters of output that are kept: more than a test under load writes. */
const maxOutput = 16_000_000;

export interface OrdersProcess extends AsyncDisposable {
  readonly client: OrdersClient;
  readonly opsPort: number;
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly output: () => string;
}

/** Runs the program to its end; one that does not come to it within 30 s is killed. */
export async function runOrders(
  environment: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ code: number | NodeJS.Signals; output: string }> {
  const { child, ended, output } = start(environment, args);
  const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const code = await ended;
  clearTimeout(late);
  return { code, output: output() };
}

/** The service as it is deployed, on free ports, once it listens. Disposing kills it. */
export async function startOrders(environment: Record<string, string>): Promise<OrdersProcess> {
  const { child, ended, output } = start(environment, []);
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const listening = /"message":"orders is listening".*/;
  await eventually(output, (text) => listening.test(text) || child.exitCode !== null, 20_000);
  if (child.exitCode !== null) throw new Error(`orders ended with ${child.exitCode}:\n${output()}`);
  const line = output()
    .split("\n")
    .find((line) => listening.test(line));
  const { port, opsPort } = JSON.parse(line ?? "{}") as { port: number; opsPort: number };
  const channel = stack.use(await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 10_000 }));
  const owned = stack.move();
  return {
    client: createClient(OrdersService, channel),
    opsPort,
    pid: child.pid as number,
    kill: (signal) => void child.kill(signal),
    ended,
    output,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function start(environment: Record<string, string>, args: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, ["-C", "source", entry, ...args], {
    env: {
      ORDERS_RPC_HOST: "127.0.0.1",
      ORDERS_RPC_PORT: "0",
      ORDERS_OPS_HOST: "127.0.0.1",
      ORDERS_OPS_PORT: "0",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: string[] = [];
  let size = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      chunks.push(chunk);
      size += chunk.length;
      while (size > maxOutput) size -= chunks.shift()?.length ?? 0;
    });
  }
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return { child, ended, output: () => chunks.join("") };
}
