import type { FileRegistry } from "@bufbuild/protobuf";
import { durationMs, port, type Secret, secret } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { transportNames } from "@plumbline/rpc";
import { clientTlsSettings } from "@plumbline/rpc/settings";
import { logLevels } from "@plumbline/telemetry";
import { annotatedPackages, readDescriptors } from "@plumbline/transcoding";
import { z } from "zod";
import { knownTargets } from "./known-targets.ts";
import { upstreamName } from "./upstream.ts";

const rate = (perSecond: number, burst: number) =>
  z.object({
    perSecond: z.number().min(0).max(1_000_000).default(perSecond).describe("requests, averaged; 0 sets no limit"),
    burst: z.int().min(1).max(1_000_000).default(burst).describe("requests at once after a pause"),
  });

const count = (preset: number) => z.int().min(1).max(100_000).default(preset);
const positiveMs = (preset: number) => z.int().min(1).max(86_400_000).default(preset);

/** The settings of a gateway in front of the services in `registry`: one upstream for each annotated package. */
export function gatewayConfig(registry: FileRegistry) {
  return z
    .object({
      http: z.object({
        host: z.string().default("0.0.0.0"),
        port: port(8080),
        trustProxy: z
          .union([z.boolean(), z.int().min(0), z.string()])
          .default(false)
          .describe("whose X-Forwarded-For is believed: false, a number of hops, or addresses"),
      }),
      ops: z.object({ host: z.string().default("0.0.0.0"), port: port(9464) }),
      upstreams: upstreams(registry),
      transport: z.enum(transportNames).default("grpc-js").describe("carries the calls to the services"),
      upstreamTls: clientTlsSettings(),
      rateLimit: z.object({
        perClient: rate(500, 1_000),
        global: rate(5_000, 10_000),
        store: z.enum(["memory", "redis"]).default("memory").describe("memory: each gateway counts for itself"),
        redisUrl: secret()
          .refine(isRedisUrl, "expected redis://user:password@host:port, or rediss: for TLS")
          .optional()
          .describe("where gateways count together: redis://user:password@host:port"),
      }),
      limits: z.object({
        bodyBytes: z.int().min(1_024).max(16_777_216).default(1_048_576).describe("the largest body of a request"),
        timeoutMs: durationMs(5_000).describe("for a unary call whose client does not say"),
        maxTimeoutMs: durationMs(60_000).describe("the most a client may ask for with Grpc-Timeout"),
        concurrent: count(1_000).describe("unary requests at once; more are shed"),
        adaptive: z
          .boolean()
          .default(false)
          .describe(
            "whether they are shed below that too, while they are slower than without a queue or would come too late",
          ),
        streams: count(1_000).describe("streams at once; more are shed"),
      }),
      streams: z.object({
        heartbeatMs: positiveMs(15_000).describe("between heartbeats"),
        maxAgeMs: positiveMs(900_000).describe("a stream then ends, and its client comes again"),
        retryMs: positiveMs(2_000).describe("clients of an ended stream come again after this to twice this"),
        openMs: positiveMs(1_000).describe("the head of a stream's answer waits this long for a first message"),
        stallMs: positiveMs(30_000).describe("a stream's client that takes nothing for this long is cut off"),
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
    .refine(({ drainMs, graceMs }) => drainMs + 2_000 <= graceMs, {
      path: ["graceMs"],
      message: "at least two seconds more than drainMs",
    })
    .refine(({ rateLimit }) => rateLimit.store !== "redis" || rateLimit.redisUrl !== undefined, {
      path: ["rateLimit", "redisUrl"],
      message: "required by the store redis",
    });
}

/** The client's own complaint would print the whole address, password included. */
function isRedisUrl(value: Secret): boolean {
  return /^rediss?:$/.test(URL.parse(value.reveal())?.protocol ?? "");
}

function upstreams(registry: FileRegistry) {
  const names = new Set(annotatedPackages(registry).map(upstreamName));
  const target = (name: string) => {
    const required = z.string().min(1).describe(`where ${name} is: dns:///host:port`);
    const known = knownTargets[name];
    return known === undefined ? required : required.default(known);
  };
  return z.object(Object.fromEntries([...names].map((name) => [name, target(name)])));
}

/** All that is in the contracts. */
export const registry = readDescriptors(descriptorSet);

/** The settings of the gateway. In the environment `http.port` is GATEWAY_HTTP_PORT. */
export const GatewayConfig = gatewayConfig(registry);
