import { mkdtempSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GreeterService } from "@plumbline/contracts";
import { connect, createClient, type TransportName, transportNames } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { freePort } from "@plumbline/tools-engines";
import type { Program } from "../competitors/program.ts";
import { gateway, greeter } from "../competitors/targets.ts";
import { allocatedBytes, type Counted, startCounted } from "./counted.ts";

const slices = 3;
const warmCalls = 1_000;
const sliceCalls = 800;

/**
 * Returns the bytes that each service allocates for a call, by "greeter (http2)". Calls are made
 * one after another, so that a read of a socket never has two, whatever else the machine does. The
 * least of several slices counts, since timers allocate too.
 */
export async function allocations(root: string, flags: readonly string[]): Promise<Record<string, number>> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-allocations-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const found: Record<string, number> = {};
  for (const transport of transportNames) {
    await using services = new AsyncDisposableStack();
    const start = async (service: string, program: Program): Promise<Counted> => {
      const counted = await startCounted(fromSource(root, service, program, flags), undefined, folder);
      services.use(counted.running);
      return counted;
    };
    const parts = { root, folder, collector: "" };
    const [rpcPort, httpPort] = [await freePort(), await freePort()];
    const called = await start("greeter", greeter(parts, "full", transport)(rpcPort));
    const asked = await start("gateway", gateway(parts, "full", transport)(httpPort, rpcPort));
    await using greeting = await greeterCaller(rpcPort, transport);
    found[`greeter (${transport})`] = await bytesPerCall(called, greeting.call);
    using asking = gatewayCaller(httpPort);
    found[`gateway (${transport})`] = await bytesPerCall(asked, asking.call);
  }
  return found;
}

function fromSource(root: string, service: string, program: Program, flags: readonly string[]): Program {
  const { GC_FILE: _, NODE_COMPILE_CACHE: __, ...env } = program.env;
  return { ...program, env, args: [...flags, "-C", "source", join(root, `apps/${service}/src/main.ts`)] };
}

async function bytesPerCall(service: Counted, call: () => Promise<unknown>): Promise<number> {
  for (let made = 0; made < warmCalls; made++) await call();
  const figures: number[] = [];
  for (let slice = 0; slice < slices; slice++) {
    const before = await allocatedBytes(service);
    for (let made = 0; made < sliceCalls; made++) await call();
    figures.push(((await allocatedBytes(service)) - before) / sliceCalls);
  }
  return Math.round(Math.min(...figures));
}

async function greeterCaller(port: number, transport: TransportName) {
  const channel = await connect(`ipv4:127.0.0.1:${port}`, noTelemetry, { transport });
  const client = createClient(GreeterService, channel, { timeoutMs: 10_000 });
  return {
    call: () => client.sayHello({ name: "Ada" }),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}

function gatewayCaller(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const options = { agent, host: "127.0.0.1", port, path: "/v1/greetings/Ada" };
  const call = () =>
    new Promise<void>((resolve, reject) => {
      get(options, (response) => {
        if (response.statusCode !== 200) reject(new Error(`the gateway answered ${response.statusCode}`));
        response.resume().once("end", resolve).once("error", reject);
      }).once("error", reject);
    });
  return { call, [Symbol.dispose]: () => agent.destroy() };
}
