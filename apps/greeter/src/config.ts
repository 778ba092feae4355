import { durationMs, port } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { logLevels } from "@plumbline/telemetry";
import { z } from "zod";

/** The settings of greeter. In the environment `rpc.port` is GREETER_RPC_PORT. */
export const GreeterConfig = z
  .object({
    rpc: serverSettings({ port: 50_051, maxConnectionAgeGraceMs: 60_000 }),
    ops: z.object({ host: z.string().default("0.0.0.0"), port: port(9465) }),
    telemetry: z.object({
      logLevel: z.enum(logLevels).default("info"),
      otlpEndpoint: z.url().optional().describe("a collector, http://collector:4318; none, and nothing is exported"),
      otlpLogs: z.boolean().default(false).describe("log lines go to the collector too"),
      sampleRatio: z.number().min(0).max(1).default(1),
    }),
    drainMs: durationMs(0).describe("not ready but still serving, so that load balancers look away"),
    graceMs: durationMs(10_000).describe("from the signal to the end, the drain included"),
  })
  .refine(({ drainMs, graceMs }) => drainMs + 2_000 <= graceMs, {
    path: ["graceMs"],
    message: "at least two seconds more than drainMs",
  });
