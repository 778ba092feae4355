import { durationMs, port } from "@plumbline/config";
import { transportNames } from "@plumbline/rpc";
import { logLevels } from "@plumbline/telemetry";
import { z } from "zod";

/** The settings of greeter. In the environment `rpc.port` is GREETER_RPC_PORT. */
export const GreeterConfig = z
  .object({
    rpc: z.object({
      host: z.string().default("0.0.0.0"),
      port: port(50_051),
      transport: z.enum(transportNames).default("grpc-js").describe("carries the calls"),
      maxConcurrent: z.int().min(1).default(1_000).describe("calls at once; more are shed as unavailable"),
      adaptive: z
        .boolean()
        .default(false)
        .describe(
          "whether unary calls are shed below that too, while they are slower than without a queue or would come too late",
        ),
      maxConnectionAgeMs: durationMs(300_000).describe(
        "a connection then ends, give or take a tenth, so that clients find new replicas; 0: never",
      ),
      maxConnectionAgeGraceMs: durationMs(60_000).describe("and the calls on it may go on for this long"),
    }),
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
