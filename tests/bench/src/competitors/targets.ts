import { join } from "node:path";
import { type TransportName, transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import type { Authorization } from "@plumbline/tools-stack";
import { gcFile } from "./gc-file.ts";
import type { Program } from "./program.ts";

export type Group = "rpc" | "gateway" | "chain";
export type Mode = "bare" | "full" | `full, ${keyof typeof sampled}` | "as it ships";

/** The share of traces that is exported, by the words of a mode. */
const sampled = { "10 % of traces exported": 0.1, "all traces exported": 1 } as const;

/** A program that answers SayHello, by gRPC or HTTP. */
export interface Target {
  readonly name: string;
  readonly group: Group;
  readonly mode: Mode;
  /** The measured processes; the last one is called. */
  readonly programs: readonly Program[];
  /** The processes that those need beside the common upstream, not measured. They start first. */
  readonly behind?: readonly Program[];
  /** Returns what each call says about who calls; calls of targets without it say nothing. */
  readonly authorization?: () => Promise<Authorization>;
}

/** The parts that targets are made of. */
export interface Parts {
  readonly root: string;
  /** The folders of the Go commands and of the installed competitors; undefined leaves them out. */
  readonly go: string | undefined;
  readonly competitors: string | undefined;
  /** A folder of this run: compile caches, garbage collection reports. */
  readonly folder: string;
  /** The greeter behind the gateways, not measured. */
  readonly upstream: number;
  /** The URL that receives spans by OTLP. */
  readonly collector: string;
}

const high = "100000";
const bareAndFull = ["bare", "full"] as const;

export async function targets(parts: Parts): Promise<Target[]> {
  const all: Target[] = [];
  const add = async (
    name: string,
    group: Group,
    mode: Mode,
    ...make: readonly ((port: number, before: number) => Program)[]
  ): Promise<void> => {
    const programs: Program[] = [];
    let before = parts.upstream;
    for (const one of make) {
      const port = await freePort();
      programs.push(one(port, before));
      before = port;
    }
    all.push({ name, group, mode, programs });
  };

  for (const transport of transportNames) {
    for (const mode of bareAndFull) {
      await add(`greeter (${transport})`, "rpc", mode, greeter(parts, mode, transport));
      await add(`gateway (${transport})`, "gateway", mode, gateway(parts, mode, transport));
      await add(
        `gateway + greeter (${transport})`,
        "chain",
        mode,
        greeter(parts, mode, transport),
        gateway(parts, mode, transport),
      );
    }
    const exporting = "full, 10 % of traces exported";
    await add(`gateway (${transport})`, "gateway", exporting, gateway(parts, exporting, transport));
  }
  const { go, competitors } = parts;
  if (go !== undefined) {
    await add("grpc-go", "rpc", "bare", (port) => plain(join(go, "bare"), { PORT: `${port}` }, port));
    for (const mode of bareAndFull) {
      await add("greeter-go", "rpc", mode, greeterGo(go, mode));
      await add("grpc-gateway", "gateway", mode, grpcGateway(go, mode));
      await add("grpc-gateway + greeter-go", "chain", mode, greeterGo(go, mode), grpcGateway(go, mode));
    }
  }
  if (competitors !== undefined) {
    const competitor = (file: string, mode: Mode) => (port: number, before: number) =>
      node(parts, join(competitors, file), asCompetitor(mode, port, before), port);
    await add("bare grpc-js", "rpc", "bare", competitor("grpc-js-server.js", "bare"));
    await add("bare node:http2", "rpc", "bare", competitor("http2-server.js", "bare"));
    for (const mode of bareAndFull) {
      await add("Fastify + grpc-js", "gateway", mode, competitor("fastify.js", mode));
      await add("NestJS + grpc-js", "gateway", mode, competitor("nest.js", mode));
      await add("Express + grpc-js", "gateway", mode, competitor("express.js", mode));
      await add("node:http + grpc-js", "gateway", mode, competitor("node-http.js", mode));
    }
  }
  return all;
}

/**
 * The greeter behind all gateways: the cheapest one, so that the figures are those of the gateways.
 */
export function upstream(parts: Pick<Parts, "root" | "go" | "folder">, port: number): Program {
  return parts.go === undefined ? greeter(parts, "bare", "grpc-js")(port) : greeterGo(parts.go, "bare")(port);
}

function greeterEnvironment(mode: Mode, port: number): Record<string, string> {
  return {
    GREETER_RPC_HOST: "127.0.0.1",
    GREETER_RPC_PORT: `${port}`,
    GREETER_RPC_MAX_CONCURRENT: high,
    GREETER_OPS_HOST: "127.0.0.1",
    GREETER_OPS_PORT: "0",
    GREETER_TELEMETRY_LOG_LEVEL: mode === "bare" ? "error" : "info",
  };
}

export function grpcGateway(go: string, mode: Mode) {
  return (port: number, before: number): Program => plain(join(go, "gateway"), asCompetitor(mode, port, before), port);
}

export function greeterGo(go: string, mode: Mode) {
  return (port: number): Program => plain(join(go, "greeter-go"), greeterEnvironment(mode, port), port);
}

export function greeter(parts: Pick<Parts, "root" | "folder">, mode: Mode, transport: TransportName) {
  return (port: number): Program => {
    const env = { ...greeterEnvironment(mode, port), GREETER_RPC_TRANSPORT: transport };
    return node(parts, join(parts.root, "apps/greeter/dist/main.js"), env, port);
  };
}

export function gateway(parts: Pick<Parts, "root" | "folder" | "collector">, mode: Mode, transport: TransportName) {
  return (port: number, before: number): Program => {
    const perSecond = mode === "bare" ? "0" : "1000000";
    const env: Record<string, string> = {
      GATEWAY_HTTP_HOST: "127.0.0.1",
      GATEWAY_HTTP_PORT: `${port}`,
      // The servers beside it know no callers either.
      GATEWAY_AUTH_OFF: "true",
      GATEWAY_OPS_HOST: "127.0.0.1",
      GATEWAY_OPS_PORT: "0",
      GATEWAY_TRANSPORT: transport,
      GATEWAY_UPSTREAMS_GREETER: `ipv4:127.0.0.1:${before}`,
      GATEWAY_LIMITS_CONCURRENT: high,
      GATEWAY_LIMITS_CONCURRENT_PER_CLIENT: high,
      GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: perSecond,
      GATEWAY_RATE_LIMIT_PER_PRINCIPAL_PER_SECOND: perSecond,
      GATEWAY_RATE_LIMIT_GLOBAL_PER_SECOND: perSecond,
      GATEWAY_TELEMETRY_LOG_LEVEL: mode === "bare" ? "error" : "info",
    };
    for (const [words, share] of Object.entries(sampled)) {
      if (mode !== `full, ${words}`) continue;
      env["GATEWAY_TELEMETRY_OTLP_ENDPOINT"] = parts.collector;
      env["GATEWAY_TELEMETRY_SAMPLE_RATIO"] = `${share}`;
    }
    return node(parts, join(parts.root, "apps/gateway/dist/main.js"), env, port);
  };
}

function asCompetitor(mode: Mode, port: number, before: number): Record<string, string> {
  return {
    PORT: `${port}`,
    UPSTREAM: `127.0.0.1:${before}`,
    FULL: mode === "bare" ? "0" : "1",
    NODE_ENV: "production",
  };
}

function plain(command: string, env: Readonly<Record<string, string>>, port: number): Program {
  return { command, args: [], env, port };
}

/**
 * Returns the command of Node as in an image, with a compile cache, and with an observer of its
 * garbage collection.
 */
export function node(
  { folder }: Pick<Parts, "folder">,
  file: string,
  env: Readonly<Record<string, string>>,
  port: number,
  flags: readonly string[] = [],
): Program {
  return {
    command: process.execPath,
    args: [...flags, "--import", join(import.meta.dirname, "gc.ts"), file],
    env: { ...env, NODE_COMPILE_CACHE: join(folder, "compile-cache"), GC_FILE: gcFile(folder, port) },
    port,
  };
}
