import type { FileRegistry } from "@bufbuild/protobuf";
import { Health } from "@plumbline/lifecycle";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { createApp, type LiveSettings } from "../../src/app.ts";
import type { AuditLog } from "../../src/audit/audit-log.ts";
import type { Auth } from "../../src/auth/open-auth.ts";
import type { TrustProxy } from "../../src/http/client-address.ts";
import { expressMessages } from "../../src/http/express-messages.ts";
import { recordRefusals } from "../../src/http/refusals.ts";
import { MemoryLimiter } from "../../src/rate-limit/memory-limiter.ts";
import type { RateLimiter } from "../../src/rate-limit/rate-limiter.ts";
import { listen } from "../../src/server.ts";
import type { Upstream } from "../../src/upstream.ts";

export interface TestGateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly health: Health;
  /** Starts the drain, as SIGTERM does. */
  drain(): void;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface TestOptions {
  readonly upstream: Upstream;
  readonly settings?: Partial<LiveSettings> | (() => Partial<LiveSettings>);
  readonly limiter?: RateLimiter;
  readonly telemetry?: Telemetry;
  readonly graceMs?: number;
  readonly lingerMs?: number;
  readonly trustProxy?: TrustProxy;
  readonly trustTrace?: boolean;
  readonly hosts?: string;
  readonly auth?: Auth;
  readonly audit?: Pick<AuditLog, "record">;
}

export const defaults: LiveSettings = {
  rateLimit: { perClient: { perSecond: 0, burst: 1 }, global: { perSecond: 0, burst: 1 } },
  limits: { bodyBytes: 1024 * 1024, timeoutMs: 5000, maxTimeoutMs: 60_000, concurrent: 100, streams: 100 },
  auth: { newTokens: { perSecond: 0, burst: 1 } },
  streams: { heartbeatMs: 10_000, maxAgeMs: 60_000, retryMs: 100, openMs: 5000, stallMs: 5000 },
};

/** Opens the gateway's own wiring on a free port, in front of one upstream for every package. */
export async function openGateway(registry: FileRegistry, options: TestOptions): Promise<TestGateway> {
  const health = new Health();
  const drain = new AbortController();
  const overrides = options.settings ?? {};
  const limiter = options.limiter ?? new MemoryLimiter();
  const telemetry = options.telemetry ?? noTelemetry;
  const settings = () => ({ ...defaults, ...(typeof overrides === "function" ? overrides() : overrides) });
  const app = createApp({
    registry,
    upstreamFor: () => options.upstream,
    settings,
    limiter,
    health,
    drain: drain.signal,
    telemetry,
    version: "0.0.0",
    trustProxy: options.trustProxy,
    trustTrace: options.trustTrace,
    hosts: options.hosts,
    auth: options.auth,
    audit: options.audit,
  });
  const server = await listen(app, {
    host: "127.0.0.1",
    port: 0,
    graceMs: options.graceMs ?? 2000,
    lingerMs: options.lingerMs ?? 0,
    messages: expressMessages(app),
    refusals: recordRefusals(limiter, () => settings().rateLimit, telemetry),
  });
  health.ready();
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    port: server.port,
    health,
    drain() {
      health.drain();
      drain.abort();
    },
    fetch: (path, init) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(20_000), ...init }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
