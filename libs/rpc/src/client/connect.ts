import { ServiceError } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import type { ClientCall } from "../call.ts";
import { deadlineFor } from "../deadline.ts";
import { type CallKind, methodName } from "../definition.ts";
import type { Resolver } from "../discovery/resolver.ts";
import { type Interceptor, onion } from "../interceptors/interceptor.ts";
import { clientMetrics } from "../interceptors/metrics.ts";
import { clientTracing } from "../interceptors/tracing.ts";
import { Metadata } from "../metadata.ts";
import type { ClientTls, Reloadable } from "../tls/options.ts";
import type { Balancing, ClientTransport, OutgoingCall } from "../transport.ts";
import { defaultTransport, type TransportName, transport } from "../transports/index.ts";
import type { CallOptions, Channel, UnaryResponse } from "./channel.ts";
import { interceptStream } from "./intercept-stream.ts";
import { RetryThrottle, type RetryThrottling } from "./retry-throttle.ts";

export interface ConnectOptions {
  readonly transport?: TransportName | undefined;
  /**
   * Resolvers for schemes beside dns, ipv4 and ipv6, or in place of them. "consul:///orders" needs
   * one whose scheme is "consul".
   */
  readonly resolvers?: readonly Resolver[] | undefined;
  /**
   * The choice among the servers: "round_robin" takes all in turn, "least_request" the less busy of
   * two at random. "round_robin" if not given.
   */
  readonly balancing?: Balancing | undefined;
  /**
   * Enables TLS and names the trusted authorities; `{}` trusts those that come with Node. No TLS if
   * not given.
   */
  readonly tls?: Reloadable<ClientTls> | undefined;
  /**
   * The SPIFFE ids of the servers, with commas: "spiffe://example.org/orders". With it a server's
   * certificate must have exactly one URI, which is one of these, in the place of the target's
   * host. Needs `tls`, whose authorities must be those of the trust domain.
   */
  readonly serverIds?: string | undefined;
  /** The deadline of calls that set none; 30 s if not given. */
  readonly timeoutMs?: number | undefined;
  /**
   * The largest message in either direction; 4 MiB if not given. A larger one ends its call with
   * `resource_exhausted`.
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The time without data, on a connection with calls, after which it is pinged; 30 s if not given.
   * It is doubled for new connections each time a server answers "too_many_pings".
   */
  readonly keepaliveMs?: number | undefined;
  /** The bounds on retries of all clients of this channel. */
  readonly retryThrottling?: RetryThrottling | undefined;
  /** Interceptors around every call, inside the channel's own. The first is the outermost. */
  readonly interceptors?: readonly Interceptor<ClientCall>[] | undefined;
}

/**
 * Returns a channel to one service: "dns:///orders:50052" (all addresses of the name),
 * "ipv4:127.0.0.1:50052", "host:port", or a scheme of `resolvers`. It watches the addresses and
 * connects with the first call, or with `ready`, and reconnects when a connection is lost. Rejects
 * with `invalid_argument` for a target or certificates that cannot be used.
 */
export async function connect(target: string, telemetry: Telemetry, options: ConnectOptions = {}): Promise<Channel> {
  const connection = transport(options.transport ?? defaultTransport).connect({
    target,
    resolvers: options.resolvers,
    onResolution: resolutionLog(target, telemetry),
    balancing: options.balancing,
    tls: options.tls,
    serverIds: options.serverIds,
    maxMessageBytes: options.maxMessageBytes ?? 4 * 1024 * 1024,
    keepaliveMs: options.keepaliveMs ?? 30_000,
    keepaliveTimeoutMs: 10_000,
    onTooManyPings: (keepaliveMs) =>
      telemetry.logger.warn("keepalive pings are too frequent; backing off", {
        target,
        keepaliveMs,
      }),
  });
  const layers = [clientTracing(telemetry.tracer), clientMetrics(telemetry.metrics)];
  const retries = new RetryThrottle(options.retryThrottling ?? {}, telemetry.metrics);
  const { interceptors = [], timeoutMs = 30_000 } = options;
  return new InterceptedChannel(connection, layers, interceptors, timeoutMs, retries);
}

/** Returns a function that logs a failure of the resolver once, until it answers again. */
function resolutionLog(target: string, { logger, metrics }: Telemetry): (failure: unknown) => void {
  const failures = metrics.counter("rpc_client_resolver_failures_total", "failures to resolve a target", ["target"]);
  let isFailing = false;
  return (failure) => {
    if (failure !== undefined) failures.inc({ target });
    const wasFailing = isFailing;
    isFailing = failure !== undefined;
    if (isFailing === wasFailing) return;
    if (isFailing) logger.warn("the target cannot be resolved; the last addresses stay", { target, error: failure });
    else logger.info("the target is resolved again", { target });
  };
}

/** A call and the function that sends it once it has passed the channel's own interceptors. */
interface PendingCall extends ClientCall {
  readonly send: (call: ClientCall) => Promise<void>;
}

/** A channel that puts interceptors around a transport's calls. */
class InterceptedChannel implements Channel {
  readonly retries: RetryThrottle;
  readonly #transport: ClientTransport;
  /**
   * The channel's own interceptors, composed once. They pass on the call object that they are
   * given.
   */
  readonly #around: (call: ClientCall) => Promise<void>;
  readonly #inner: readonly Interceptor<ClientCall>[];
  readonly #timeoutMs: number;

  constructor(
    transport: ClientTransport,
    layers: readonly Interceptor<ClientCall>[],
    inner: readonly Interceptor<ClientCall>[],
    timeoutMs: number,
    retries: RetryThrottle,
  ) {
    this.retries = retries;
    this.#transport = transport;
    this.#around = onion(layers, (call) => (call as PendingCall).send(call));
    this.#inner = inner;
    this.#timeoutMs = timeoutMs;
  }

  async unary(path: string, request: Uint8Array, options: CallOptions = {}): Promise<UnaryResponse> {
    let response: UnaryResponse | undefined;
    await this.#run("unary", path, options, async (call) => {
      response = await this.#transport.unary(call, request);
    });
    return answered(response);
  }

  serverStream(path: string, request: Uint8Array, options: CallOptions = {}): AsyncIterable<Uint8Array> {
    return this.#stream("server_stream", path, one(request), options);
  }

  async clientStream(
    path: string,
    requests: AsyncIterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<UnaryResponse> {
    let [headers, trailers] = [new Metadata(), new Metadata()];
    let message: Uint8Array | undefined;
    const kept: CallOptions = {
      ...options,
      onHeaders: (got) => {
        headers = got;
        options.onHeaders?.(got);
      },
      onTrailers: (got) => {
        trailers = got;
        options.onTrailers?.(got);
      },
    };
    for await (const response of this.#stream("client_stream", path, requests, kept)) {
      if (message !== undefined) throw new ServiceError("unimplemented", "the server answered with two messages");
      message = response;
    }
    return answered(message && { message, headers, trailers });
  }

  bidiStream(path: string, requests: AsyncIterable<Uint8Array>, options: CallOptions = {}): AsyncIterable<Uint8Array> {
    return this.#stream("bidi_stream", path, requests, options);
  }

  ready(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#transport.ready(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#transport[Symbol.asyncDispose]());
  }

  #stream(
    kind: CallKind,
    path: string,
    requests: AsyncIterable<Uint8Array>,
    options: CallOptions,
  ): AsyncIterable<Uint8Array> {
    return interceptStream(
      (around) => this.#run(kind, path, options, around),
      (call: OutgoingCall) => this.#transport.stream(call, requests),
    );
  }

  #run(kind: CallKind, path: string, options: CallOptions, core: (call: OutgoingCall) => Promise<void>): Promise<void> {
    const { signal, onHeaders, onTrailers, metadata, previousAttempts = 0, timeoutMs = this.#timeoutMs } = options;
    signal?.throwIfAborted();
    const deadline = deadlineFor(signal, timeoutMs);
    const send = ({ metadata, signal, deadline }: ClientCall): Promise<void> =>
      core({ path, metadata, signal, deadline, onHeaders, onTrailers });
    const call: PendingCall = {
      method: methodName(path),
      kind,
      metadata: new Metadata(metadata),
      signal,
      deadline,
      send: this.#inner.length === 0 ? send : onion(this.#inner, send),
    };
    if (previousAttempts > 0) call.metadata.receive("grpc-previous-rpc-attempts", `${previousAttempts}`);
    return this.#around(call);
  }
}

async function* one(request: Uint8Array): AsyncIterable<Uint8Array> {
  yield request;
}

function answered(response: UnaryResponse | undefined): UnaryResponse {
  if (response === undefined) throw new ServiceError("unimplemented", "the server answered without a message");
  return response;
}
