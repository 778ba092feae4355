import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { pinned } from "./program.ts";

/** What a load generator saw. Latencies in microseconds; with a rate, from when each call was due. */
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
}

/** 32 calls at once, over 4 connections of 8 streams (gRPC) or 32 connections (HTTP), in turn to each port. Rejects when one fails. */
export async function load(
  generator: string,
  kind: "grpc" | "http",
  port: number | readonly number[],
  ms: number,
  rate = 0,
): Promise<Load> {
  const report = await loadUnchecked(generator, kind, port, ms, rate);
  if (report.calls === 0 || report.failed > 0) {
    throw new Error(`${report.failed} calls to port ${port} failed, ${report.calls} were answered: ${report.why}`);
  }
  return report;
}

/** The same where calls may be refused; `connections` of HTTP, 32 when not given: as many requests at once. */
export async function loadUnchecked(
  generator: string,
  kind: "grpc" | "http",
  port: number | readonly number[],
  ms: number,
  rate: number,
  connections?: number,
): Promise<Load> {
  const address = [port]
    .flat()
    .map((one) => `127.0.0.1:${one}`)
    .join(",");
  const args = ["-kind", kind, "-address", address, "-duration", `${ms}ms`, "-rate", `${rate}`];
  if (connections !== undefined) args.push("-conns", `${connections}`);
  const [command, all] = pinned(1, generator, args);
  const { stdout } = await promisify(execFile)(command, all, {
    timeout: ms + 20_000,
    env: { ...process.env, GOMAXPROCS: "1" },
  });
  return JSON.parse(stdout) as Load;
}
