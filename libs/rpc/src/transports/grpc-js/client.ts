import { setImmediate as nextTurn } from "node:timers/promises";
import {
  Channel,
  type ChannelInterface,
  connectivityState,
  credentials,
  type Metadata as GrpcMetadata,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { type Abortable, Event, onAbort, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { UnaryResponse } from "../../client/channel.ts";
import { isAtDeadline } from "../../deadline.ts";
import { parseTarget } from "../../discovery/target.ts";
import { Metadata } from "../../metadata.ts";
import { detailsName, errorOf } from "../../status.ts";
import { diallingTls } from "../../tls/dial.ts";
import type { ClientTransport, ClientTransportOptions, OutgoingCall } from "../../transport.ts";
import { noFreeStream, streamWaitMs } from "../stream-wait.ts";
import { UntilOver } from "../until-over.ts";
import { toBuffer } from "./bytes.ts";
import { toGrpcDeadline } from "./clock.ts";
import { fromGrpc, toGrpc } from "./metadata.ts";
import "./outgoing-data.ts";
import { PendingConnections, pendingConnectionsOption } from "./pending-connections.ts";
import { channelTarget, Resolution } from "./resolution.ts";
import { TlsCredentials } from "./tls-credentials.ts";

export function connect(options: ClientTransportOptions): ClientTransport {
  return new GrpcJsClient(options);
}

/**
 * A client over grpc-js's Channel, one level below its Client. There messages are bytes, are read
 * one at a time instead of sixteen ahead, and a successful call records no stack trace.
 */
class GrpcJsClient implements ClientTransport {
  readonly #channel: Channel;
  readonly #calls = new Set<GrpcCall>();
  readonly #pending = new PendingConnections(() => this.#wakeAll());
  readonly #resolution: Resolution;
  readonly #authority: string;
  /** Set when a call has ended: a stream may be free. */
  readonly #freed = new Event();
  /** The calls that wait for it. */
  #waiting = 0;
  #closed = false;

  constructor(options: ClientTransportOptions) {
    const target = parseTarget(options.target, options.resolvers);
    const tls = diallingTls(options, target.host);
    const secured = tls ? new TlsCredentials(tls, this.#pending) : credentials.createInsecure();
    this.#resolution = new Resolution(target, options);
    this.#authority = target.authority;
    this.#channel = new Channel(channelTarget(target), secured, {
      ...this.#resolution.options(target),
      "grpc.max_send_message_length": options.maxMessageBytes,
      "grpc.max_receive_message_length": options.maxMessageBytes,
      "grpc.keepalive_time_ms": options.keepaliveMs,
      "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
      "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
      // Neither TXT records of the target nor other channels of this process affect the calls.
      "grpc.service_config_disable_resolution": 1,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
      [pendingConnectionsOption]: this.#pending,
      // A service that restarts is found within seconds instead of two minutes.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 5_000,
    });
  }

  async unary(outgoing: OutgoingCall, request: Uint8Array): Promise<UnaryResponse> {
    for (let attempt = 1; ; attempt++) {
      if (this.#isFull) await this.#waitForStream(outgoing);
      using call = this.#start(outgoing);
      call.send(request).catch(() => {}); // The status carries its error.
      call.halfClose();
      const message = await call.read();
      if (message === undefined && attempt < mostRefused && (await call.wasRefused())) continue;
      // Only a second read shows that there is no second message.
      if (message !== undefined && (await call.read()) !== undefined) {
        throw new ServiceError("unimplemented", "the server answered with two messages");
      }
      return await this.#answered(call, message);
    }
  }

  async #answered(call: GrpcCall, message: Uint8Array | undefined): Promise<UnaryResponse> {
    const trailers = await call.end();
    if (message === undefined) throw new ServiceError("unimplemented", "the server answered without a message");
    return { message, headers: call.headers, trailers };
  }

  async *stream(
    outgoing: OutgoingCall,
    requests: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#isFull) await this.#waitForStream(outgoing);
    using call = this.#start(outgoing);
    void call.sendAll(requests);
    for (;;) {
      const message = await call.read();
      if (message === undefined) break;
      yield message;
    }
    await call.end();
  }

  #start(outgoing: OutgoingCall): GrpcCall {
    if (this.#closed) throw new ServiceError("unavailable", "the channel is closed");
    const call = new GrpcCall(this.#channel, outgoing, () => {
      this.#calls.delete(call);
      this.#freed.set();
    });
    this.#calls.add(call);
    return call;
  }

  /** True if as many calls are in flight as the connections have streams. */
  get #isFull(): boolean {
    return this.#calls.size >= this.#pending.streams;
  }

  async #waitForStream({ signal, deadline }: OutgoingCall): Promise<void> {
    const until = performance.now() + streamWaitMs;
    while (this.#isFull && !isAtDeadline(deadline)) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) throw noFreeStream(this.#authority);
      this.#waiting++;
      try {
        await this.#freed.wait({ ms: Math.min(leftMs, deadline - steadyNow()), signal });
      } finally {
        this.#waiting--;
      }
    }
  }

  /** Wakes all calls that wait: a new connection has streams for many. */
  #wakeAll(): void {
    for (let left = this.#waiting; left > 0; left--) this.#freed.set();
  }

  async ready({ signal }: Abortable): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#closed) throw new ServiceError("unavailable", "the channel is closed");
      const state = this.#channel.getConnectivityState(true);
      if (state === connectivityState.READY) return;
      const changed = Promise.withResolvers<void>();
      using _ = onAbort(signal, changed.resolve);
      // The wait is cut into seconds because it cannot be cancelled: an aborted one must not
      // outlive its caller for long.
      this.#channel.watchConnectivityState(state, Date.now() + 1_000, () => changed.resolve());
      await changed.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls) call.cancel("the channel was closed");
    this.#channel.close();
    this.#pending[Symbol.dispose]();
    await this.#resolution[Symbol.asyncDispose]();
  }
}

/**
 * The most attempts of a refused call. A closing connection refuses calls still on their way to it.
 * No handler saw them (RFC 9113, section 8.7), so they are sent again on another connection.
 * grpc-js does that once, which is too few while several replicas close theirs, and never if the
 * refusal arrives while it writes the request.
 */
const mostRefused = 4;
const refusals = new Set([
  "Stream refused by server",
  "Write error: Stream closed with error code NGHTTP2_REFUSED_STREAM",
]);

/** One call. Messages are read one at a time, and disposing cancels the rest. */
class GrpcCall implements Disposable {
  headers = new Metadata();
  readonly #outgoing: OutgoingCall;
  readonly #call: ReturnType<ChannelInterface["createCall"]>;
  readonly #status = Promise.withResolvers<StatusObject>();
  readonly #link: Disposable;
  readonly #onEnd: () => void;
  #next = Promise.withResolvers<Uint8Array | undefined>();
  readonly #over = new UntilOver();
  /** The error of the requests, if they ended early by their own fault. */
  #failure: { readonly error: unknown } | undefined;

  constructor(channel: Channel, outgoing: OutgoingCall, onEnd: () => void) {
    outgoing.signal?.throwIfAborted();
    this.#outgoing = outgoing;
    this.#onEnd = onEnd;
    this.#call = channel.createCall(outgoing.path, toGrpcDeadline(outgoing.deadline), null, null, null);
    this.#call.start(toGrpc(outgoing.metadata), {
      onReceiveMetadata: (headers: GrpcMetadata) => {
        this.headers = fromGrpc(headers);
        outgoing.onHeaders?.(this.headers);
      },
      onReceiveMessage: (message: Uint8Array) => this.#next.resolve(message),
      onReceiveStatus: (status) => {
        this.#over.end();
        this.#status.resolve(status);
        this.#next.resolve(undefined);
      },
    });
    this.#link = onAbort(outgoing.signal, () => this.cancel("cancelled by the caller"));
  }

  /** Resolves when there is capacity for the next message, or when the call is over. */
  async send(message: Uint8Array): Promise<void> {
    const written = Promise.withResolvers<void>();
    this.#call.sendMessageWithContext({ callback: () => written.resolve() }, toBuffer(message));
    await this.#over.wait(written.promise);
  }

  /**
   * Sends until the requests or the call end, and closes the requests in either case. Their failure
   * ends the call.
   */
  async sendAll(requests: AsyncIterable<Uint8Array>): Promise<void> {
    const iterator = requests[Symbol.asyncIterator]();
    try {
      for (let sent = 1; ; sent++) {
        const next = await this.#over.wait(iterator.next());
        if (next === undefined) break;
        if (next.done) return this.halfClose();
        await this.send(next.value);
        // Until a call is committed, grpc-js accepts small messages in the same tick, which would
        // starve everything else.
        if (sent % 32 === 0) await nextTurn();
      }
    } catch (error) {
      this.#failure = { error };
      this.cancel("the requests failed");
    }
    // Not awaited: a generator that waits for something else cannot return before that.
    iterator.return?.().catch(() => {});
  }

  halfClose(): void {
    if (!this.#over.isOver) this.#call.halfClose();
  }

  /**
   * Resolves with the next message, or with undefined after the last; then `end` has the outcome.
   */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#over.isOver) return undefined;
    this.#next = Promise.withResolvers();
    this.#call.startRead();
    return await this.#next.promise;
  }

  /** Resolves with the trailers of a successful call; rejects with the error of a failed one. */
  async end(): Promise<Metadata> {
    const { code, details, metadata } = await this.#status.promise;
    const trailers = fromGrpc(metadata);
    this.#outgoing.onTrailers?.(trailers);
    if (code === status.OK) return trailers;
    // grpc-js ends such a call with an error of its own, which is no status.
    if (typeof code !== "number")
      throw new ServiceError("internal", "a message of the response cannot be decompressed");
    if (this.#failure !== undefined) throw this.#failure.error;
    if (code === status.CANCELLED) {
      this.#outgoing.signal?.throwIfAborted();
      // A Go server resets the stream of a call past its deadline as it does that of a cancelled
      // one.
      if (isAtDeadline(this.#outgoing.deadline)) throw new ServiceError("deadline_exceeded", "deadline exceeded");
    }
    throw errorOf({ code, message: details, details: trailers.getBinary(detailsName) });
  }

  /** Returns true for an ended call that the server refused before any handler saw it. */
  async wasRefused(): Promise<boolean> {
    const { code, details } = await this.#status.promise;
    return code === status.UNAVAILABLE && refusals.has(details);
  }

  cancel(details: string): void {
    if (!this.#over.isOver) this.#call.cancelWithStatus(status.CANCELLED, details);
  }

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]();
    this.cancel("the reader left");
    this.#onEnd();
  }
}
