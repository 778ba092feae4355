import type { FileRegistry } from "@bufbuild/protobuf";
import { durationMs, port } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { transportNames } from "@plumbline/rpc";
import { logLevels } from "@plumbline/telemetry";
import { z } from "zod";
import { annotatedPackages, upstreamName } from "./bindings/packages.ts";
import { readDescriptors } from "./bindings/registry.ts";

/** Where services listen in development (the table of ports in the documents). A new one has no default: it is set. */
const knownTargets: Readonly<Record<string, string>> = {
  greeter: "dns:///127.0.0.1:50051",
  orders: "dns:///127.0.0.1:50052",
  fulfilment: "dns:///127.0.0.1:50053",
};

const rate = (perSecond: number, burst: number) =>
  z.object({
    perSecond: z
      .number()
      .min(0)
      .max(1_000_000)
      .default(perSecond)
      .describe("Requests a second, averaged; 0 sets no limit."),
    burst: z.int().min(1).max(1_000_000).default(burst).describe("Requests at once after a pause."),
  });

const rateLimit = z.object({
  perClient: rate(500, 1000).prefault({}),
  global: rate(5000, 10_000).prefault({}),
});

const limits = z.object({
  bodyBytes: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024)
    .default(1024 * 1024)
    .describe("The largest body of a request."),
  timeoutMs: durationMs(5000).describe("How long a unary call may take when its client does not say."),
  maxTimeoutMs: durationMs(60_000).describe("The most a client may ask for with Grpc-Timeout."),
  concurrent: z.int().min(1).max(100_000).default(1000).describe("Unary requests at once."),
  streams: z.int().min(1).max(100_000).default(1000).describe("Streams at once."),
});

const positiveMs = (preset: number) => z.int().min(1).max(86_400_000).default(preset);

const streams = z.object({
  heartbeatMs: positiveMs(15_000).describe("Between heartbeats."),
  maxAgeMs: positiveMs(900_000).describe("A stream older than this ends, and its client comes again."),
  retryMs: positiveMs(2000).describe("When clients of an ended stream come again: this to twice this."),
  openMs: positiveMs(1000).describe("How long the head of a stream's answer waits for a first message."),
  stallMs: positiveMs(30_000).describe("How long a stream's client may take nothing."),
});

/** The settings of a gateway in front of the services in `registry`: one upstream for each annotated package. */
export function gatewayConfig(registry: FileRegistry) {
  const names = new Set(annotatedPackages(registry).map(upstreamName));
  const target = (name: string) => {
    const required = z.string().min(1).describe(`Where ${name} is: dns:///host:port.`);
    const known = knownTargets[name];
    return known === undefined ? required : required.default(known);
  };
  return z.object({
    http: z
      .object({
        host: z.string().default("0.0.0.0"),
        port: port(8080),
        trustProxy: z
          .union([z.boolean(), z.int().min(0), z.string()])
          .default(false)
          .describe(
            'Whose X-Forwarded-For is believed: false, a number of hops, or addresses as Express\'s "trust proxy" takes them.',
          ),
      })
      .prefault({}),
    ops: z.object({ port: port(9464) }).prefault({}),
    upstreams: z.object(Object.fromEntries([...names].map((name) => [name, target(name)]))).prefault({}),
    transport: z.enum(transportNames).default("grpc-js").describe("What carries the calls to the services."),
    rateLimit: rateLimit.prefault({}),
    limits: limits.prefault({}),
    streams: streams.prefault({}),
    telemetry: z
      .object({
        logLevel: z.enum(logLevels).default("info"),
        otlpEndpoint: z
          .string()
          .optional()
          .describe("A collector, http://collector:4318; without one no spans are sent."),
        sampleRatio: z.number().min(0).max(1).default(1),
      })
      .prefault({}),
    drainMs: durationMs(0).describe("How long the gateway still serves after it has said that it is not ready."),
    graceMs: durationMs(10_000).describe("From SIGTERM to the end."),
  });
}

/** All that is in the contracts. */
export const registry = readDescriptors(descriptorSet);

export const GatewayConfig = gatewayConfig(registry);
