import { durationMs, port, secret } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { logLevels } from "@plumbline/telemetry";
import { z } from "zod";

const hour = 3_600_000;
const count = (preset: number, most: number) => z.int().min(1).max(most).default(preset);

/** The settings of orders. In the environment `database.poolSize` is ORDERS_DATABASE_POOL_SIZE. */
export const OrdersConfig = z
  .object({
    rpc: serverSettings({ port: 50_052, maxConnectionAgeGraceMs: 960_000 }),
    ops: z.object({ host: z.string().default("0.0.0.0"), port: port(9466) }),
    database: z.object({
      url: secret().describe("postgresql://role:password@host:port/name"),
      poolSize: count(10, 1_000),
    }),
    messaging: z.object({
      adapter: z.enum(["postgres", "kafka", "memory"]).default("postgres").describe("memory reaches nobody else"),
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
    concurrency: count(16, 1_000).describe("answers of the worker handled at once"),
    retries: z.object({
      attempts: count(5, 100).describe("in place, before an answer is moved to a retry topic"),
      delaysMs: z
        .array(z.int().min(1))
        .max(10)
        .default([5_000, 60_000, 600_000])
        .describe("one retry topic each; change it together with a run of migrate"),
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
    idempotency: z.object({
      retentionMs: durationMs(24 * hour).describe("an idempotency key stands for its order"),
      sweepMs: durationMs(600_000),
    }),
    watch: z.object({
      maxAgeMs: durationMs(15 * 60_000).describe("a WatchOrder then ends as unavailable, to be begun again"),
      maxWatchers: count(1_000, 100_000).describe("streams of WatchOrder at once; more are refused"),
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
  })
  .refine(({ rpc, watch }) => rpc.maxConnectionAgeMs === 0 || watch.maxAgeMs <= rpc.maxConnectionAgeGraceMs, {
    path: ["rpc", "maxConnectionAgeGraceMs"],
    message: "at least watch.maxAgeMs, or streams are cut",
  });
