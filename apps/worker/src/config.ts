import { count, durationMs } from "@plumbline/config";
import { serverSettings } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";
import { z } from "zod";

/** The settings of worker. In the environment `suppliers.url` is WORKER_SUPPLIERS_URL. */
export const WorkerConfig = serviceConfig(
  {
    rpc: serverSettings({ port: 50_053, maxConnectionAgeGraceMs: 60_000 }),
    registration: settings.registration(),
    ops: settings.ops({ port: 9467 }),
    database: settings.database(),
    ...settings.broker(),
    concurrency: count(16, 1_000).describe("orders worked on at once"),
    backlog: count(2_048, 100_000).describe(
      "orders held at once, so that those of one client do not wait behind another's in the broker",
    ),
    retries: settings.retries(),
    suppliers: z.object({
      url: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8090"),
      timeoutMs: durationMs(5_000).describe("for all items of one order together"),
      concurrency: count(8, 100).describe("requests at once for one order"),
      traceContext: z.boolean().default(false).describe("sends the trace context (traceparent) to the suppliers"),
      concurrencyInAll: count(128, 10_000).describe(
        "requests at once for all orders; one client's orders have at most three quarters of them",
      ),
    }),
    relay: settings.relay(),
    inbox: settings.inbox(),
    telemetry: settings.telemetry(),
    ...settings.shutdown(),
  },
  { leastGraceMs: 1_000 },
);
