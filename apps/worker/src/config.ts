import { durationMs, port, secret } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { logLevels } from "@plumbline/telemetry";
import { z } from "zod";

const hour = 3_600_000;
const count = (preset: number, most: number) => z.int().min(1).max(most).default(preset);

/** The settings of worker. In the environment `suppliers.url` is WORKER_SUPPLIERS_URL. */
export const WorkerConfig = z
  .object({
    rpc: serverSettings({ port: 50_053, maxConnectionAgeGraceMs: 60_000 }),
    ops: z.object({ host: z.string().default("0.0.0.0"), port: port(9467) }),
    database: z.object({
      url: secret().describe("postgresql://role:password@host:port/name"),
      poolSize: count(10, 1_000),
    }),
    messaging: z.object({
      adapter: z.enum(["postgres", "kafka"]).default("postgres"),
      url: secret().optional().describe("the database of the postgres adapter"),
    }),
    kafka: z.object({
      brokers: z
        .array(z.string().min(1))
        .min(1)
        .default(["127.0.0.1:19092"])
        .describe("one is enough to find the others"),
      ssl: z.boolean().default(false),
      sasl: z
        .object({
          mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]).default("scram-sha-512"),
          username: z.string().min(1),
          password: secret(),
        })
        .optional(),
      sessionMs: durationMs(30_000).describe(
        "without a heartbeat a member is taken for dead; the broker sets the least",
      ),
      giveUpMs: durationMs(600_000).describe("without lasting contact the process ends, to be started again"),
    }),
    concurrency: count(16, 1_000).describe("orders worked on at once"),
    retries: z.object({
      attempts: count(5, 100).describe("in place, before an order is moved to a retry topic"),
      delaysMs: z
        .array(z.int().min(1))
        .max(10)
        .default([5_000, 60_000, 600_000])
        .describe("one retry topic each; change it together with a run of migrate"),
    }),
    suppliers: z.object({
      url: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8090"),
      timeoutMs: durationMs(5_000).describe("for all items of one order together"),
      concurrency: count(8, 100).describe("requests at once for one order"),
    }),
    label: z.object({
      threads: z.int().min(1).max(256).optional().describe("that draw; as many as cores, which is also the most"),
      timeoutMs: durationMs(10_000).describe("for one label, the start of a thread included"),
    }),
    relay: z.object({
      batchSize: count(200, 10_000).describe("messages of the outbox in one send"),
      pollMs: durationMs(1_000).describe("looks without having been notified"),
      standbyMs: durationMs(500).describe("how soon another replica takes over"),
    }),
    inbox: z.object({
      retentionMs: z
        .int()
        .min(hour)
        .optional()
        .describe("handled messages are remembered; a day longer than the broker keeps them when not given"),
    }),
    telemetry: z.object({
      logLevel: z.enum(logLevels).default("info"),
      otlpEndpoint: z.url().optional().describe("a collector, http://collector:4318; none, and nothing is exported"),
      otlpLogs: z.boolean().default(false).describe("log lines go to the collector too"),
      sampleRatio: z.number().min(0).max(1).default(1),
    }),
    drainMs: durationMs(0).describe("not ready but still serving, so that load balancers look away"),
    graceMs: durationMs(10_000).describe("from the signal to the end, the drain included"),
  })
  .refine(({ messaging }) => messaging.adapter !== "postgres" || messaging.url !== undefined, {
    path: ["messaging", "url"],
    message: "required by the adapter postgres",
  })
  .refine(({ drainMs, graceMs }) => drainMs + 1_000 <= graceMs, {
    path: ["graceMs"],
    message: "at least a second more than drainMs",
  });
