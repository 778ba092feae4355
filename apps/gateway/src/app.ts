import type { FileRegistry } from "@bufbuild/protobuf";
import { readAccessRules } from "@plumbline/contracts/access";
import { ServiceError } from "@plumbline/errors";
import type { Health } from "@plumbline/lifecycle";
import type { Telemetry } from "@plumbline/telemetry";
import { type Binding, bindingsOf, routerOf } from "@plumbline/transcoding";
import express, { type Express, type RequestHandler } from "express";
import type { AuditLog } from "./audit/audit-log.ts";
import { guard } from "./auth/guard.ts";
import type { Auth } from "./auth/open-auth.ts";
import { resourceMetadata } from "./auth/resource-metadata.ts";
import { openApiOf } from "./docs/openapi.ts";
import { pages } from "./docs/pages.ts";
import { api, type Limits } from "./http/api.ts";
import { type TrustProxy, trustOf } from "./http/client-address.ts";
import { failed } from "./http/fail.ts";
import { healthRoutes } from "./http/health.ts";
import { inOrder } from "./http/in-order.ts";
import { observe } from "./http/observe.ts";
import { boundPipeline } from "./http/pipeline.ts";
import { strict } from "./http/strict.ts";
import { limitPrincipal, limitRate } from "./rate-limit/limit-rate.ts";
import type { Rate, RateLimiter, RateLimits } from "./rate-limit/rate-limiter.ts";
import { type StreamTimes, streamer } from "./streams/stream.ts";
import type { Upstream } from "./upstream.ts";

/** The settings that may change while the gateway runs. */
export interface LiveSettings {
  readonly rateLimit: RateLimits & {
    /** The rate of one caller, all its tokens together; no limit if absent. */
    readonly perPrincipal?: Rate | undefined;
  };
  readonly limits: Limits;
  readonly streams: StreamTimes;
  readonly auth: { readonly newTokens: Rate };
}

/** The parts of a gateway. Everything that does I/O is passed in. */
export interface AppOptions {
  /** The descriptors of all services: routes, JSON and documents follow from their annotations. */
  readonly registry: FileRegistry;
  /** Returns the service of a proto package, or undefined if none is configured. */
  readonly upstreamFor: (protoPackage: string) => Upstream | undefined;
  /** Returns the settings in force. Called with each request. */
  readonly settings: () => LiveSettings;
  /** Counts requests against `settings().rateLimits`. */
  readonly limiter: RateLimiter;
  readonly health: Health;
  /** Aborts when the gateway drains: streams end, and responses close their connections. */
  readonly drain: AbortSignal;
  readonly telemetry: Telemetry;
  readonly version: string;
  /** The proxies whose X-Forwarded-For is trusted; none if absent. */
  readonly trustProxy?: TrustProxy | undefined;
  /** True to continue the traces of trusted proxies; others are linked to. */
  readonly trustTrace?: boolean | undefined;
  /** The names and addresses that Host may have, with commas; any if empty or absent. */
  readonly hosts?: string | undefined;
  /** The identity of callers. Without it everybody may call, and no token is looked at. */
  readonly auth?: Auth | undefined;
  /** Records who was refused, and what operators did; nothing if absent. */
  readonly audit?: Pick<AuditLog, "record"> | undefined;
}

/** Builds the gateway as an Express application. Throws if an annotated service has no upstream. */
export function createApp(options: AppOptions): Express {
  const { settings, drain, telemetry, auth } = options;
  const { rules, problems } = readAccessRules(options.registry);
  if (auth !== undefined && problems.length > 0)
    throw new Error(`the protos do not say who may call: ${problems.join("; ")}`);
  const bindings = bindingsOf(options.registry).filter(({ rpcPath }) => rules.get(rpcPath)?.kind !== "internal");
  const router = routerOf(bindings);
  const upstreamOf = upstreams(bindings, options.upstreamFor);

  const isTrusted = trustOf(options.trustProxy);

  const app = express();
  app.disable("x-powered-by").disable("etag").enable("case sensitive routing").enable("strict routing");
  // The gateway parses queries itself, so Express's parsing would be wasted.
  app.set("query parser", false).set("trust proxy", isTrusted);
  const stream = streamer({
    times: () => settings().streams,
    drain,
    logger: telemetry.logger,
    denied: auth?.denied,
  });
  const admit = auth && guard({ rules, auth, newTokens: () => settings().auth.newTokens, telemetry });
  app.use(
    inOrder(
      boundPipeline(),
      commonHeaders(drain),
      healthRoutes(options.health),
      observe(router, isTrusted, options.trustTrace ?? false, telemetry, options.audit),
      limitRate(options.limiter, () => settings().rateLimit),
      strict(hostsOf(options.hosts)),
      ...(auth === undefined ? [] : [resourceMetadata(auth.issuer, rules)]),
      pages(openApiOf(bindings, options.version, auth && rules)),
      api({
        upstreamOf,
        admit,
        limitPrincipal: limitPrincipal(options.limiter, () => settings().rateLimit.perPrincipal),
        limits: () => settings().limits,
        stallMs: () => settings().streams.stallMs,
        metrics: telemetry.metrics,
        stream,
      }),
    ),
  );
  app.use(failed(telemetry.logger));
  return app;
}

function hostsOf(list = ""): ReadonlySet<string> {
  return new Set(
    list
      .split(",")
      .map((host) => host.trim().toLowerCase())
      .filter((host) => host !== ""),
  );
}

function commonHeaders(drain: AbortSignal): RequestHandler {
  return (_request, response, next) => {
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Cache-Control", "no-store");
    // This connection is about to close: the client must not send its next request on it.
    if (drain.aborted) response.setHeader("Connection", "close");
    next();
  };
}

function upstreams(
  bindings: readonly Binding[],
  upstreamFor: AppOptions["upstreamFor"],
): (binding: Binding) => Upstream {
  const byPackage = new Map(
    bindings.map(({ method }) => [method.parent.file.proto.package, upstreamFor(method.parent.file.proto.package)]),
  );
  const missing = [...byPackage].filter(([, upstream]) => upstream === undefined).map(([name]) => name);
  if (missing.length > 0) throw new Error(`the setting upstreams has no address for ${missing.join(", ")}`);
  return ({ method }) => {
    const upstream = byPackage.get(method.parent.file.proto.package);
    if (upstream === undefined) throw new ServiceError("unimplemented", "No address is configured for this service.");
    return upstream;
  };
}
