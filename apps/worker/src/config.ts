import { durationMs, port, secret } from "@plumbline/config";
import { z } from "zod";

/** Settings of the worker: `config/worker.yaml`, then WORKER_* (WORKER_SUPPLIERS_URL is `suppliers.url`). */
export const WorkerConfig = z.object({
  rpc: z.object({ host: z.string().default("0.0.0.0"), port: port(50_053) }),
  ops: z.object({ port: port(9_467) }),
  database: z.object({ url: secret(), poolSize: z.int().min(1).max(100).default(10) }),
  messaging: z.object({
    adapter: z.enum(["postgres"]).default("postgres"),
    url: secret().describe("The database of the postgres adapter."),
  }),
  concurrency: z.int().min(1).max(256).default(16).describe("Orders worked on at once."),
  retries: z
    .object({ attempts: z.int().min(1).max(20).default(5), baseMs: durationMs(200), maxMs: durationMs(2_000) })
    .describe("In place, before an order is tried again later."),
  suppliers: z.object({
    url: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8090"),
    timeoutMs: durationMs(5_000).describe("For all items of an order together."),
    concurrency: z.int().min(1).max(64).default(8).describe("Requests at once for one order."),
  }),
  label: z.object({
    threads: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe("Threads that draw; the number of cores, which is also the most."),
    timeoutMs: durationMs(10_000).describe("For one label."),
  }),
  drainMs: durationMs(0).describe("How long to go on after the signal, so that load balancers look away."),
  graceMs: durationMs(10_000).describe("From the signal to the end."),
  telemetry: z.object({
    logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
    otlpEndpoint: z.url().optional(),
    sampleRatio: z.number().min(0).max(1).default(1),
  }),
});

export type WorkerConfig = z.output<typeof WorkerConfig>;
