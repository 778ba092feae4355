import type { FileRegistry } from "@bufbuild/protobuf";
import { count, durationMs, live, port, type Secret, secret } from "@plumbline/config";
import { descriptorSet } from "@plumbline/contracts";
import { defaultTransport, transportNames } from "@plumbline/rpc";
import { balancings, clientTlsSettings, spiffeIds } from "@plumbline/rpc/settings";
import { serviceConfig, settings } from "@plumbline/service-defaults";
import { annotatedPackages, readDescriptors } from "@plumbline/transcoding";
import { z } from "zod";
import { isLoopback } from "./auth/loopback.ts";
import { type TrustProxy, trustOf } from "./http/client-address.ts";
import { knownTargets } from "./known-targets.ts";
import { upstreamName } from "./upstream.ts";

const rate = (perSecond: number, burst: number) =>
  z.object({
    perSecond: z
      .number()
      .min(0)
      .max(1_000_000)
      .default(perSecond)
      .describe("requests per second on average; 0 sets no limit"),
    burst: z.int().min(1).max(1_000_000).default(burst).describe("requests allowed at once after a pause"),
  });

const bytes = (mebibytes: number) =>
  z
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(mebibytes * 1_048_576);

const positiveMs = (preset: number) => z.int().min(1).max(86_400_000).default(preset);

/**
 * Returns the schema of the settings of a gateway in front of `registry`: one upstream per
 * annotated package.
 */
export function gatewayConfig(registry: FileRegistry) {
  return serviceConfig({
    http: z.object({
      host: z.string().default("0.0.0.0"),
      port: port(8080),
      hosts: z
        .string()
        .default("")
        .describe("names and addresses, with commas, that Host may have; others get 421; any if empty"),
      maxConnections: count(10_000, 1_000_000).describe("connections at once; the oldest idle one is closed for more"),
      connectionsPerClient: count(1_000, 1_000_000).describe(
        "connections of one client; trusted proxies have no share",
      ),
      trustProxy: z
        .union([z.boolean(), z.int().min(0).max(100), z.string()])
        .default(false)
        .refine(isTrustProxy, "expected false, a number of proxies, or a list of addresses and subnets")
        .describe("proxies whose X-Forwarded-For is trusted: false, a number of hops, or addresses and subnets"),
      trustTrace: z
        .boolean()
        .default(false)
        .describe("continues the trace of a request from a trusted proxy; other requests start one of their own"),
    }),
    ops: settings.ops({ port: 9464 }),
    upstreams: forEachUpstream(registry, target),
    upstreamIds: forEachUpstream(registry, (name) =>
      spiffeIds().describe(
        `SPIFFE ids of ${name}, by its certificate, with commas: in the place of the host of its address`,
      ),
    ),
    transport: z
      .enum(transportNames)
      .default(defaultTransport)
      .describe("implementation of gRPC that calls the services"),
    balancing: z
      .enum(balancings)
      .default("round_robin")
      .describe(
        "choice among the servers of a service; least_request, the less busy of two, needs the transport http2",
      ),
    discovery: settings.discovery(),
    upstreamTls: clientTlsSettings(),
    rateLimit: z.object({
      perClient: live(rate(500, 1_000)),
      perPrincipal: live(rate(50, 100)),
      global: live(rate(5_000, 10_000)),
      store: z
        .enum(["memory", "redis"])
        .default("memory")
        .describe("memory: each gateway counts on its own; redis: all gateways count together"),
      redisUrl: live(secret().refine(isRedisUrl, "expected redis://user:password@host:port, or rediss: for TLS"))
        .optional()
        .describe("Redis that the gateways share: redis://user:password@host:port"),
      redisPassword: live(secret())
        .optional()
        .describe("takes the place of the password in redisUrl, so that it can be a secret of its own"),
    }),
    limits: live(
      z.object({
        bodyBytes: z
          .int()
          .min(1_024)
          .max(16_777_216)
          .default(1_048_576)
          .describe("largest body of a request, in bytes"),
        timeoutMs: durationMs(5_000).describe("deadline of a unary call without Grpc-Timeout"),
        maxTimeoutMs: durationMs(60_000).describe("longest deadline that a client may set with Grpc-Timeout"),
        concurrent: count(1_000, 100_000).describe("unary requests at once; more are refused with 503"),
        concurrentPerClient: count(250, 100_000).describe(
          "unary requests of one client at once; more are refused with 429",
        ),
        adaptive: z
          .boolean()
          .default(false)
          .describe(
            "also refuses unary requests below that limit while latency shows a queue or a deadline would be missed",
          ),
        streams: count(1_000, 100_000).describe("streams at once; more are refused with 503"),
        streamsPerClient: count(100, 100_000).describe("streams of one client at once; more are refused with 429"),
        streamsPerPrincipal: count(20, 100_000).describe("the same of one caller, once its token says who it is"),
        hangUpsPerSecond: count(20, 100_000).describe("requests that one client may give up per second, on average"),
        hangUpsBurst: count(200, 100_000).describe("requests that one client may give up at once after a pause"),
        bodiesPerClient: count(256, 100_000).describe("bodies of one client that are not complete"),
        bodyBytesPerClient: bytes(8).describe("bytes of bodies of one client, until its requests are answered"),
        bodyBytesInAll: bytes(32).describe("bytes of bodies of all clients, until their requests are answered"),
        bodyRate: z
          .int()
          .min(0)
          .max(1_000_000)
          .default(1_024)
          .describe("least bytes per second of a body that takes longer than 5 s"),
        unreadBytesPerClient: bytes(8).describe("bytes of answers that one client has not read"),
        unreadBytesInAll: bytes(32).describe("bytes of answers that all clients have not read"),
      }),
    ),
    streams: live(
      z.object({
        heartbeatMs: positiveMs(15_000).describe("time between heartbeats"),
        maxAgeMs: positiveMs(900_000).describe("age at which a stream ends and its client reconnects"),
        retryMs: positiveMs(2_000).describe("clients of an ended stream reconnect after this to twice this time"),
        openMs: positiveMs(1_000).describe("longest wait for a first message before the head of the response is sent"),
        stallMs: positiveMs(30_000).describe("a client that reads nothing of its stream for this long is disconnected"),
      }),
    ),
    auth: z.object({
      issuer: z
        .string()
        .min(1)
        .optional()
        .describe("the issuer of access tokens, exactly as they name it; required unless auth.off is true"),
      off: z
        .boolean()
        .default(false)
        .describe("asks for no tokens: everybody may call everything, so only for a gateway on loopback"),
      audience: z.string().min(1).default("plumbline").describe("the name of this API in the tokens' aud"),
      jwksUri: z
        .string()
        .min(1)
        .optional()
        .describe("the address of the issuer's keys; that of its discovery document if not set"),
      caFile: z
        .string()
        .min(1)
        .optional()
        .describe(
          "a PEM file, reloaded when it changes: the authorities to trust for the issuer; those of Node if not set",
        ),
      developmentIssuer: z
        .boolean()
        .default(false)
        .describe("takes an issuer for development, whose tokens anybody may get, though http.host is not loopback"),
      tokenTypes: z
        .array(z.string().min(1))
        .min(1)
        .max(5)
        .default(["at+jwt"])
        .describe("the types of access tokens; a provider without RFC 9068 needs JWT"),
      apiKeysFile: z
        .string()
        .min(1)
        .optional()
        .describe("the file of API keys that npm run keys writes; it is followed; no keys if not set"),
      newTokens: live(
        z.object({
          perSecond: z
            .number()
            .min(0)
            .max(1_000_000)
            .default(10)
            .describe("tokens of one address that were not seen before, per second; 0 sets no limit"),
          burst: z.int().min(1).max(1_000_000).default(50).describe("such tokens allowed at once after a pause"),
        }),
      ),
      denied: live(
        z.object({
          subjects: z
            .array(z.string().min(1).max(64))
            .max(1_000)
            .default([])
            .describe("callers whose tokens and API keys are refused from now on"),
          clients: z
            .array(z.string().min(1).max(256))
            .max(1_000)
            .default([])
            .describe("programs whose tokens are refused from now on, by client_id; an API key is plk_ID"),
          issuedBefore: z.iso
            .datetime()
            .optional()
            .describe("tokens and API keys from before this time are refused: 2026-11-28T12:00:00Z"),
        }),
      ),
    }),
    telemetry: settings.telemetry(),
    ...settings.shutdown(),
  })
    .refine(({ rateLimit }) => rateLimit.store !== "redis" || rateLimit.redisUrl !== undefined, {
      path: ["rateLimit", "redisUrl"],
      message: "required if rateLimit.store is redis",
    })
    .refine(
      ({ upstreamIds, upstreamTls }) =>
        upstreamTls !== undefined || Object.values(upstreamIds).every((ids) => ids === ""),
      {
        path: ["upstreamTls", "caFile"],
        message: "required with upstreamIds: a service shows its certificate over TLS alone",
      },
    )
    .refine(({ auth }) => auth.off || auth.issuer !== undefined, {
      path: ["auth", "issuer"],
      message: "the issuer of access tokens; or auth.off true, on loopback only, to let everybody call everything",
    })
    .refine(({ auth }) => !auth.off || auth.issuer === undefined, {
      path: ["auth", "off"],
      message: "expected false with an issuer: leave out one of auth.off and auth.issuer",
    })
    .refine(({ auth }) => !auth.off || auth.apiKeysFile === undefined, {
      path: ["auth", "apiKeysFile"],
      message: "expected no file with auth.off, which asks for no key: set auth.issuer in its place",
    })
    .refine(({ auth, http }) => !auth.off || isLoopback(http.host), {
      path: ["auth", "off"],
      message: "expected false where other machines reach http.host: set auth.issuer, or http.host 127.0.0.1",
    });
}

/** Returns true for a setting that does not trust every client. */
function isTrustProxy(value: unknown): value is TrustProxy {
  try {
    trustOf(value);
    return true;
  } catch {
    return false;
  }
}

/** Checks the address here, since the client's own error would print it with the password. */
function isRedisUrl(value: Secret): boolean {
  const url = URL.parse(value.reveal());
  return url !== null && /^rediss?:$/.test(url.protocol) && url.host !== "";
}

/** Returns a section with a setting for each upstream. */
function forEachUpstream<T extends z.ZodType>(registry: FileRegistry, setting: (name: string) => T) {
  const names = new Set(annotatedPackages(registry).map(upstreamName));
  return z.object(Object.fromEntries([...names].map((name) => [name, setting(name)])));
}

function target(name: string) {
  const required = z
    .string()
    .min(1)
    .describe(`address of ${name}: dns:///host:port, or etcd, consul or kubernetes:///name`);
  const known = knownTargets[name];
  return known === undefined ? required : required.default(known);
}

/** The descriptors of all contracts. */
export const registry = readDescriptors(descriptorSet);

/** The schema of the gateway's settings. In the environment `http.port` is GATEWAY_HTTP_PORT. */
export const GatewayConfig = gatewayConfig(registry);
