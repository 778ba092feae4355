import { ServiceError } from "@plumbline/errors";
import type { Health } from "@plumbline/lifecycle";
import type { Telemetry } from "@plumbline/telemetry";
import type { ServerCall } from "../call.ts";
import { Admission } from "../interceptors/admission.ts";
import { errors } from "../interceptors/errors.ts";
import { type Interceptor, onion } from "../interceptors/interceptor.ts";
import { limit } from "../interceptors/limit.ts";
import { logging } from "../interceptors/logging.ts";
import { serverMetrics } from "../interceptors/metrics.ts";
import { serverTracing } from "../interceptors/tracing.ts";
import { tlsFailures } from "../tls/failures.ts";
import type { Reloadable, ServerTls } from "../tls/options.ts";
import type { ServerMethod } from "../transport.ts";
import { type TransportName, transport } from "../transports/index.ts";
import { healthService } from "./health.ts";
import { InFlight } from "./in-flight.ts";
import { reflectionServices } from "./reflection.ts";
import type { ServiceImplementation } from "./service.ts";

export interface ServeOptions {
  /** "0.0.0.0" when not given. */
  readonly host?: string | undefined;
  /** 0 takes a free one: `RpcServer.port` tells. */
  readonly port: number;
  readonly transport?: TransportName | undefined;
  /** Speaks TLS and nothing else, HTTP/2 agreed on by ALPN. In the clear when not given. */
  readonly tls?: Reloadable<ServerTls> | undefined;
  /** Calls running at once, over all connections; more are shed as `unavailable`. 1,000 when not given. */
  readonly maxConcurrent?: number | undefined;
  /**
   * Sheds unary calls below that too, as `unavailable`, while they take much longer than they do without a queue, and those
   * that cannot be answered before their deadline. False when not given.
   */
  readonly adaptive?: boolean | undefined;
  /** Calls open at once on one connection; more wait in the client. 1,000 when not given. */
  readonly maxConcurrentStreams?: number | undefined;
  /** The largest message in either direction, 4 MiB when not given. A larger one ends its call: `resource_exhausted`. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * At this age, give or take a tenth, a connection is told to take its next calls elsewhere: that makes clients ask for the
   * addresses again and find new replicas. Never when 0 or not given.
   */
  readonly maxConnectionAgeMs?: number | undefined;
  /** How long the calls under way on such a connection may go on before they are cut; `graceMs` when not given. */
  readonly maxConnectionAgeGraceMs?: number | undefined;
  /** How often a connection is asked whether its client is still there, 60 s when not given. Silence for 20 s ends it. */
  readonly keepaliveMs?: number | undefined;
  /** How long `drain` waits for unary calls before their signals abort, 10 s when not given. */
  readonly graceMs?: number | undefined;
}

export interface ServeParts {
  readonly services: readonly ServiceImplementation[];
  readonly telemetry: Telemetry;
  /** What grpc.health.v1 answers; always SERVING without it. */
  readonly health?: Pick<Health, "status" | "watch"> | undefined;
  /** A google.protobuf.FileDescriptorSet that describes the services: given, the server answers reflection. */
  readonly descriptors?: Uint8Array | undefined;
  /** Layers around the handlers, inside the server's own; the first is the outermost. */
  readonly interceptors?: readonly Interceptor<ServerCall>[] | undefined;
}

/** A server that listens. Disposing drains it. */
export interface RpcServer extends AsyncDisposable {
  readonly port: number;
  /**
   * Stops accepting, ends streams with `unavailable` at once, waits up to the grace for unary calls and for handlers to
   * return, then aborts what is left and closes. Resolves when it is over; calling it again returns the same promise.
   */
  drain(): Promise<void>;
}

/** After the grace: how long aborted handlers get to return before the connections are cut. */
const abortGraceMs = 500;

/** Listens for calls. Rejects when the address cannot be bound, two services have the same name, or the certificates cannot be used. */
export async function serve(parts: ServeParts, options: ServeOptions): Promise<RpcServer> {
  const { telemetry, descriptors } = parts;
  const graceMs = options.graceMs ?? 10_000;
  const services = [...parts.services, healthService(parts.health, parts.services)];
  if (descriptors !== undefined) services.push(...reflectionServices(descriptors, services));

  const inFlight = new InFlight();
  const admission = new Admission({
    max: () => options.maxConcurrent ?? 1_000,
    adaptive: () => options.adaptive ?? false,
    refusal: (why) => new ServiceError("unavailable", `the server is at its limit: ${why}`, { retryAfterMs: 100 }),
    metrics: telemetry.metrics,
  });
  const layers = [
    serverTracing(telemetry.tracer),
    serverMetrics(telemetry.metrics),
    limit(admission),
    logging(telemetry.logger),
    errors,
    ...(parts.interceptors ?? []),
  ];
  const methods = services.flatMap((service) =>
    service.methods.map((method): ServerMethod => {
      const { path, kind } = method;
      const run = onion(layers, (call) => method.handle(call));
      return { path, kind, accept: (incoming) => inFlight.accept(path, kind, incoming, run) };
    }),
  );
  assertUniqueMethods(methods);

  const listening = await transport(options.transport ?? "grpc-js").listen(
    {
      host: options.host ?? "0.0.0.0",
      port: options.port,
      tls: options.tls,
      onTlsFailure: options.tls && tlsFailures(telemetry),
      maxMessageBytes: options.maxMessageBytes ?? 4 * 1024 * 1024,
      maxConcurrentStreams: options.maxConcurrentStreams ?? 1_000,
      ...(options.maxConnectionAgeMs && {
        maxConnectionAgeMs: options.maxConnectionAgeMs,
        maxConnectionAgeGraceMs: options.maxConnectionAgeGraceMs ?? graceMs,
      }),
      keepaliveMs: options.keepaliveMs ?? 60_000,
      keepaliveTimeoutMs: 20_000,
    },
    methods,
  );

  async function drainOnce(): Promise<void> {
    inFlight.drain();
    const closed = listening.close();
    const graceEnds = performance.now() + graceMs;
    // The connections tell more than the calls: a request that is still coming is no call yet, and has the grace as well.
    await Promise.race([closed, after(graceMs)]);
    if (!(await inFlight.idle(Math.max(0, graceEnds - performance.now())))) {
      inFlight.abort(new ServiceError("unavailable", "the server stopped before this call was answered"));
      await inFlight.idle(abortGraceMs);
    }
    // Answered calls leave at once; what holds a connection open now is a client that does not read.
    await Promise.race([closed, after(abortGraceMs)]);
    listening.destroy();
  }
  let draining: Promise<void> | undefined;
  const drain = (): Promise<void> => (draining ??= drainOnce());
  return { port: listening.port, drain, [Symbol.asyncDispose]: drain };
}

function assertUniqueMethods(methods: readonly ServerMethod[]): void {
  const seen = new Set<string>();
  for (const { path } of methods) {
    if (seen.has(path)) throw new TypeError(`${path} is served twice`);
    seen.add(path);
  }
}

function after(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms).unref();
  return promise;
}
