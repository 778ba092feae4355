import { count, durationMs, live } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";
import { z } from "zod";

/** The settings of orders. In the environment `database.poolSize` is ORDERS_DATABASE_POOL_SIZE. */
export const OrdersConfig = serviceConfig(
  {
    rpc: serverSettings({ port: 50_052, maxConnectionAgeGraceMs: 960_000 }),
    registration: settings.registration(),
    ops: settings.ops({ port: 9466 }),
    database: settings.database(),
    ...settings.broker({ memory: true }),
    concurrency: count(16, 1_000).describe("the worker's events handled at once"),
    retries: settings.retries(),
    relay: settings.relay(),
    inbox: settings.inbox(),
    idempotency: z.object({
      retentionMs: durationMs(24 * 3_600_000).describe("an idempotency key stands for its order"),
      sweepMs: durationMs(600_000).describe("pause between deletions of old keys, about"),
    }),
    pending: live(
      z.object({
        ordersPerClient: count(1_000, 1_000_000).describe("unanswered orders of one client; more are refused with 429"),
        costPerClient: count(10_000, 100_000_000).describe("the same in items"),
        ordersInAll: count(20_000, 10_000_000).describe("unanswered orders of all clients; more are refused with 503"),
        costInAll: count(200_000, 1_000_000_000).describe("the same in items"),
      }),
    ),
    quota: live(
      z.object({
        ordersPerMinute: z
          .int()
          .min(0)
          .max(1_000)
          .default(60)
          .describe("orders that one caller places within a minute; more are refused with 429; 0 sets no limit"),
      }),
    ),
    watch: z.object({
      maxAgeMs: live(
        durationMs(15 * 60_000).describe("then WatchOrder ends as unavailable, and its client reconnects"),
      ),
      maxWatchers: count(1_000, 100_000).describe("streams of WatchOrder at once; more are refused"),
    }),
    telemetry: settings.telemetry(),
    ...settings.shutdown(),
  },
  { leastGraceMs: 1_000 },
).refine(({ rpc, watch }) => rpc.maxConnectionAgeMs === 0 || watch.maxAgeMs <= rpc.maxConnectionAgeGraceMs, {
  path: ["rpc", "maxConnectionAgeGraceMs"],
  message: "at least watch.maxAgeMs, or streams are cut",
});
