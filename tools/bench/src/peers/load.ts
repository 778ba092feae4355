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

/** 32 calls at once, over 4 connections of 8 streams (gRPC) or 32 connections (HTTP). */
export async function load(
  generator: string,
  kind: "grpc" | "http",
  port: number,
  ms: number,
  rate = 0,
): Promise<Load> {
  const args = ["-kind", kind, "-address", `127.0.0.1:${port}`, "-duration", `${ms}ms`, "-rate", `${rate}`];
  const [command, all] = pinned(1, generator, args);
  const { stdout } = await promisify(execFile)(command, all, {
    timeout: ms + 20_000,
    env: { ...process.env, GOMAXPROCS: "1" },
  });
  const report = JSON.parse(stdout) as Load;
  if (report.calls === 0 || report.failed > 0) {
    throw new Error(`${report.failed} calls to port ${port} failed, ${report.calls} were answered: ${report.why}`);
  }
  return report;
}
