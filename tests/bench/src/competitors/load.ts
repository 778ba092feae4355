import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { interrupted } from "../interruption.ts";
import type { Slow } from "../tail/explain.ts";
import { pinned } from "./program.ts";

/**
 * The measurements of a load generator. Latencies are in microseconds; with a rate they count from
 * the moment when each call was due.
 */
export interface Load {
  readonly calls: number;
  readonly failed: number;
  readonly why?: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** The slowest calls, if they were asked for. */
  readonly slow?: Slow;
}

/**
 * Makes 32 concurrent calls, over 4 connections of 8 streams (gRPC) or 32 connections (HTTP), in
 * turn to each port. Rejects if one fails.
 */
export async function load(
  generator: string,
  kind: "grpc" | "http",
  port: number | readonly number[],
  ms: number,
  rate = 0,
  more: Omit<LoadOptions, "connections"> = {},
): Promise<Load> {
  const report = await loadUnchecked(generator, kind, port, ms, rate, more);
  if (report.calls === 0 || report.failed > 0) {
    throw new Error(`${report.failed} calls to port ${port} failed, ${report.calls} were answered: ${report.why}`);
  }
  return report;
}

export interface LoadOptions {
  /** The number of HTTP connections, and so of concurrent requests; the default is 32. */
  readonly connections?: number;
  /** The field that says who calls, over HTTP. */
  readonly authorization?: string | undefined;
  /** The share of the calls to list, the slowest. */
  readonly slow?: number;
}

/** Returns the seconds of CPU that a program takes for each call of a load. */
export async function cpuPerCall(
  program: { cpuSeconds(): number },
  calls: () => Promise<Pick<Load, "calls">>,
): Promise<number> {
  const before = program.cpuSeconds();
  const made = await calls();
  return (program.cpuSeconds() - before) / made.calls;
}

/** Does as `load` does, for calls that may be refused. */
export async function loadUnchecked(
  generator: string,
  kind: "grpc" | "http",
  port: number | readonly number[],
  ms: number,
  rate: number,
  { connections, authorization, slow }: LoadOptions = {},
): Promise<Load> {
  const address = [port]
    .flat()
    .map((one) => `127.0.0.1:${one}`)
    .join(",");
  const args = ["-kind", kind, "-address", address, "-duration", `${ms}ms`, "-rate", `${rate}`];
  if (connections !== undefined) args.push("-conns", `${connections}`);
  if (slow !== undefined) args.push("-slow", `${slow}`);
  const [command, all] = pinned(1, generator, args);
  const { stdout } = await promisify(execFile)(command, all, {
    timeout: ms + 20_000,
    signal: interrupted,
    maxBuffer: 64 * 2 ** 20,
    // A rate is kept by a thread of its own (go/load/pace.go). Every user of the machine can read
    // arguments, so who calls is none.
    env: {
      ...process.env,
      GOMAXPROCS: rate > 0 ? "2" : "1",
      ...(authorization && { LOAD_AUTHORIZATION: authorization }),
    },
  });
  return JSON.parse(stdout) as Load;
}
