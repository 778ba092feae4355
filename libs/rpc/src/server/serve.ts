import { Places, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Health } from "@plumbline/lifecycle";
import type { Telemetry } from "@plumbline/telemetry";
import type { ServerCall } from "../call.ts";
import { believedPeers, Callers, Principals } from "../identity/principals.ts";
import { type AccessTable, requireAccess } from "../interceptors/access.ts";
import { Admission } from "../interceptors/admission.ts";
import { errors } from "../interceptors/errors.ts";
import { type Interceptor, onion } from "../interceptors/interceptor.ts";
import { limit } from "../interceptors/limit.ts";
import { logging } from "../interceptors/logging.ts";
import { serverMetrics } from "../interceptors/metrics.ts";
import { serverTracing } from "../interceptors/tracing.ts";
import { type CallWeights, weigh } from "../interceptors/weigh.ts";
import { ShareKeys } from "../shares/share-keys.ts";
import { tlsFailures } from "../tls/failures.ts";
import type { Reloadable, ServerTls } from "../tls/options.ts";
import type { ServerMethod } from "../transport.ts";
import { defaultTransport, type TransportName, transport } from "../transports/index.ts";
import { healthService } from "./health.ts";
import { InFlight } from "./in-flight.ts";
import { memoryOf } from "./memory.ts";
import { reflectionServices } from "./reflection.ts";
import type { ServiceImplementation } from "./service.ts";

export interface ServeOptions {
  /** The address to listen on; "0.0.0.0" if not given. */
  readonly host?: string | undefined;
  /** The port; 0 takes a free one, which `RpcServer.port` has. */
  readonly port: number;
  readonly transport?: TransportName | undefined;
  /** Enables TLS, with HTTP/2 by ALPN, and nothing else on this port. No TLS if not given. */
  readonly tls?: Reloadable<ServerTls> | undefined;
  /**
   * The most unary calls in flight over all connections; more are shed as `unavailable`. 1,000 if
   * not given.
   */
  readonly maxConcurrent?: number | undefined;
  /**
   * The part of it for one client, by `call.shareKey`; more end with `resource_exhausted`. A
   * quarter if not given. A peer of `trustedPeers` that names no client may take the whole.
   */
  readonly maxConcurrentPerClient?: number | undefined;
  /**
   * The most streams in flight over all connections; more are shed as `unavailable`. 1,000 if not
   * given.
   */
  readonly maxStreams?: number | undefined;
  /** The part of it for one client, as above. */
  readonly maxStreamsPerClient?: number | undefined;
  /**
   * Sheds unary calls below that limit too, as `unavailable`: while they take much longer than
   * without a queue, and those that cannot be answered within their deadline. False if not given.
   */
  readonly adaptive?: boolean | undefined;
  /**
   * The most calls in flight on one connection; more wait in the client, which gives them up after
   * a second. 1,000 if not given.
   */
  readonly maxConcurrentStreams?: number | undefined;
  /**
   * The most connections; 10,000 if not given. At the bound the oldest one without a call is closed
   * for a new one.
   */
  readonly maxConnections?: number | undefined;
  /** The most connections of one address that is not trusted; 100 if not given. */
  readonly connectionsPerPeer?: number | undefined;
  /** Answers reflection if there are descriptors; true if not given. */
  readonly reflection?: boolean | undefined;
  /**
   * The largest message in either direction; 4 MiB if not given. A larger one ends its call with
   * `resource_exhausted`.
   */
  readonly maxMessageBytes?: number | undefined;
  /** The time that a unary call without a deadline of its own has; 30 s if not given. */
  readonly defaultTimeoutMs?: number | undefined;
  /**
   * The time after which a call ends of whose answer the client takes nothing, and the longest time
   * that the request of a unary call may take to arrive; 30 s if not given.
   */
  readonly stallMs?: number | undefined;
  /**
   * The bounds on octets held for clients, in both directions: requests that are not complete or
   * not read, and answers that clients do not read. If not given, a sixth of the memory that this
   * process may use, from 8 to 64 MiB.
   */
  readonly maxHeldBytes?: number | undefined;
  /**
   * The part of it for one address; a quarter if not given. Peers of `trustedPeers` may take the
   * whole.
   */
  readonly maxHeldBytesPerPeer?: number | undefined;
  /**
   * The age, give or take a tenth, at which a connection is closed for new calls. Clients then
   * resolve the name again and find new replicas. Never if 0 or not given.
   */
  readonly maxConnectionAgeMs?: number | undefined;
  /**
   * The time that calls in flight on such a connection have before they are cut; `graceMs` if not
   * given.
   */
  readonly maxConnectionAgeGraceMs?: number | undefined;
  /**
   * The interval of keepalive pings; 60 s if not given. A connection that is silent for 20 s after
   * one is closed.
   */
  readonly keepaliveMs?: number | undefined;
  /**
   * The peers that speak for the client they name (`call.shareKey`): a list with commas of
   * addresses, subnets and the names loopback, linklocal and uniquelocal. Others are counted under
   * their own address. "loopback,uniquelocal" if not given; "" trusts none.
   */
  readonly trustedPeers?: string | undefined;
  /**
   * The peers that are believed about who calls (`call.principal`), listed as `trustedPeers` is. If
   * there are any, methods are for the callers of their access rule only, and `access` is needed.
   * None if not given: everybody may call everything.
   */
  readonly principalPeers?: string | undefined;
  /**
   * The SPIFFE ids of callers, with commas: "spiffe://example.org/gateway". With it callers are
   * known by their certificates (`call.caller`): all but health checks is for these only, and they
   * are believed about who calls. Needs `tls.clientCa` and `access`, and excludes `principalPeers`.
   * None if not given.
   */
  readonly callers?: string | undefined;
  /**
   * The time that `drain` waits for unary calls before it aborts their signals; 10 s if not given.
   */
  readonly graceMs?: number | undefined;
}

export interface ServeParts {
  readonly services: readonly ServiceImplementation[];
  readonly telemetry: Telemetry;
  /** The health that grpc.health.v1 reports; always SERVING if not given. */
  readonly health?: Pick<Health, "status" | "watch"> | undefined;
  /**
   * A google.protobuf.FileDescriptorSet of the services. If given, the server answers reflection.
   */
  readonly descriptors?: Uint8Array | undefined;
  /** The memory that calls of heavy methods may hold while they run; they wait for it. */
  readonly weights?: CallWeights | undefined;
  /** Returns the access rules of the methods. Called only with `principalPeers` or `callers`. */
  readonly access?: (() => AccessTable) | undefined;
  /** Interceptors around the handlers, inside the server's own. The first is the outermost. */
  readonly interceptors?: readonly Interceptor<ServerCall>[] | undefined;
}

/** A listening server. Disposing drains it. */
export interface RpcServer extends AsyncDisposable {
  readonly port: number;
  /**
   * Asks the clients on open connections to connect again, and keeps serving: they look for other
   * servers. Called before `drain`, it gives them time for that.
   */
  readonly recycle: () => void;
  /**
   * Drains the server. It stops accepting, ends streams with `unavailable` at once, waits up to the
   * grace for unary calls and for handlers to return, then aborts the rest and closes. Later calls
   * return the same promise.
   */
  drain(): Promise<void>;
}

/** The time after the grace that aborted handlers have to return before connections are cut. */
const abortGraceMs = 500;

/**
 * Starts a server. Rejects if the address cannot be bound, two services have the same name, the
 * certificates are invalid, or the memory for callers does not fit that of this process.
 */
export async function serve(parts: ServeParts, options: ServeOptions): Promise<RpcServer> {
  const { telemetry, descriptors } = parts;
  const graceMs = options.graceMs ?? 10_000;
  const services = [...parts.services, healthService(parts.health, parts.services)];
  if (descriptors !== undefined && options.reflection !== false)
    services.push(...reflectionServices(descriptors, services));

  const memory = memoryOf(options, parts.weights);
  const shareKeys = new ShareKeys(options.trustedPeers);
  const callers = callersOf(options);
  const principals = principalsOf(options, callers);
  const inFlight = new InFlight(shareKeys, principals);
  const { maxConcurrent = 1_000, maxStreams = 1_000 } = options;
  const admissionOf = (max: number, perClient = Math.ceil(max / 4)): Admission =>
    new Admission({
      max: () => max,
      maxPerShare: () => perClient,
      adaptive: () => options.adaptive ?? false,
      refusal: (why) => new ServiceError("unavailable", `the server is at its limit: ${why}`, { retryAfterMs: 100 }),
      shareRefusal: (why) => new ServiceError("resource_exhausted", why),
      metrics: telemetry.metrics,
    });
  const layers = [
    serverTracing(telemetry.tracer),
    serverMetrics(telemetry.metrics),
    limit(
      admissionOf(maxConcurrent, options.maxConcurrentPerClient),
      admissionOf(maxStreams, options.maxStreamsPerClient),
    ),
    ...(parts.weights === undefined ? [] : [weigh(parts.weights)]),
    logging(telemetry.logger),
    errors,
    ...(principals === undefined ? [] : [requireAccess(accessOf(parts), principals, telemetry.metrics)]),
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

  const refused = telemetry.metrics.counter(
    "rpc_server_connections_refused_total",
    "Connections closed because an address or all addresses have too many.",
    ["reason"],
  );
  const { maxConnections: inAll = 10_000, connectionsPerPeer: perPeer = 100 } = options;
  const places = new Places({ inAll, perPeer, onRefused: (reason) => refused.inc({ reason }) });
  const listening = await transport(options.transport ?? defaultTransport).listen(
    {
      host: options.host ?? "0.0.0.0",
      port: options.port,
      tls: options.tls,
      onTlsFailure: options.tls && tlsFailures(telemetry),
      identify: callers && ((socket) => callers.identify(socket)),
      maxMessageBytes: options.maxMessageBytes ?? 4 * 1024 * 1024,
      maxConcurrentStreams: options.maxConcurrentStreams ?? 1_000,
      places,
      ...(options.maxConnectionAgeMs && {
        maxConnectionAgeMs: options.maxConnectionAgeMs,
        maxConnectionAgeGraceMs: options.maxConnectionAgeGraceMs ?? graceMs,
      }),
      defaultTimeoutMs: options.defaultTimeoutMs ?? 30_000,
      receiveMs: options.stallMs ?? 30_000,
      stallMs: options.stallMs ?? 30_000,
      memory: {
        maxHeld: memory.maxHeldBytes,
        maxHeldPerPeer: options.maxHeldBytesPerPeer,
        peerOf: (address) => shareKeys.peer(`${address}:0`),
      },
      keepaliveMs: options.keepaliveMs ?? 60_000,
      keepaliveTimeoutMs: 20_000,
    },
    methods,
  );

  async function drainOnce(): Promise<void> {
    inFlight.drain();
    const closed = listening.close();
    const graceEnds = performance.now() + graceMs;
    // Connections count as well as calls: a request still being received is not a call yet, and has
    // the grace too.
    await within(closed, { ms: graceMs }).catch(() => undefined);
    if (!(await inFlight.idle(Math.max(0, graceEnds - performance.now())))) {
      inFlight.abort(new ServiceError("unavailable", "the server stopped before this call was answered"));
      await inFlight.idle(abortGraceMs);
    }
    // The calls are answered. A connection still open has a client that does not read.
    await within(closed, { ms: abortGraceMs }).catch(() => undefined);
    listening.destroy();
  }
  let draining: Promise<void> | undefined;
  const drain = (): Promise<void> => (draining ??= drainOnce());
  return { port: listening.port, recycle: () => listening.recycle(), drain, [Symbol.asyncDispose]: drain };
}

function callersOf({ callers = "", principalPeers = "", tls }: ServeOptions): Callers | undefined {
  if (callers === "") return undefined;
  if (principalPeers !== "") throw new TypeError("principalPeers: expected none with callers, which are believed");
  const { clientCa } = (typeof tls === "function" ? tls() : tls) ?? {};
  if (clientCa === undefined) throw new TypeError("callers: expected tls.clientCa too, which verifies certificates");
  return new Callers(callers);
}

function principalsOf({ principalPeers = "" }: ServeOptions, callers: Callers | undefined): Principals | undefined {
  if (callers !== undefined) return new Principals(callers);
  return principalPeers === "" ? undefined : new Principals(believedPeers(principalPeers));
}

function accessOf({ access }: ServeParts): AccessTable {
  if (access === undefined)
    throw new TypeError("principalPeers and callers need the access rules of the methods, and there are none");
  return access();
}

function assertUniqueMethods(methods: readonly ServerMethod[]): void {
  const seen = new Set<string>();
  for (const { path } of methods) {
    if (seen.has(path)) throw new TypeError(`${path} is served by two services`);
    seen.add(path);
  }
}
