import type { TLSSocket } from "node:tls";
import type { Abortable, Places } from "@plumbline/concurrency";
import type { PeersOptions } from "@plumbline/http2";
import type { UnaryResponse } from "./client/channel.ts";
import type { CallKind } from "./definition.ts";
import type { Resolver } from "./discovery/resolver.ts";
import type { SpiffeIdentity } from "./identity/spiffe.ts";
import type { Metadata } from "./metadata.ts";
import type { Status } from "./status.ts";
import type { TlsFailure } from "./tls/listener.ts";
import type { ClientTls, Reloadable, ServerTls } from "./tls/options.ts";

/**
 * A policy that chooses a connection for each call: all in turn, or the one with fewer calls in
 * flight of two that are chosen at random.
 */
export type Balancing = (typeof balancings)[number];

export const balancings = ["round_robin", "least_request"] as const;

/**
 * A carrier of bytes between client and server. A transport knows frames, flow control and
 * connections. Everything else (errors, default deadlines, telemetry, draining of calls) is above
 * it and shared.
 */
export interface Transport {
  /** Prepares a connection, which is made lazily. */
  connect(options: ClientTransportOptions): ClientTransport;
  /** Rejects if the address cannot be bound. */
  listen(options: ServerTransportOptions, methods: readonly ServerMethod[]): Promise<ServerTransport>;
}

export interface ClientTransportOptions {
  /** "dns:///host:port", "ipv4:127.0.0.1:50051", "host:port", or a scheme of `resolvers`. */
  readonly target: string;
  readonly resolvers?: readonly Resolver[] | undefined;
  /** Called when the target's resolver fails, and with undefined when it answers again. */
  readonly onResolution?: ((failure: unknown) => void) | undefined;
  /** The choice of an address for each call; "round_robin" if not given. */
  readonly balancing?: Balancing | undefined;
  /** No TLS if not given. */
  readonly tls?: Reloadable<ClientTls> | undefined;
  readonly serverIds?: string | undefined;
  readonly maxMessageBytes: number;
  /** Doubled for new connections when a server answers "too_many_pings" (gRPC A8). */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Called when it was doubled. grpc-js does not report that. */
  readonly onTooManyPings?: ((keepaliveMs: number) => void) | undefined;
}

/** An outgoing call. The transport sends the deadline as `grpc-timeout` and enforces it too. */
export interface OutgoingCall extends Abortable {
  readonly path: string;
  readonly metadata: Metadata;
  /** The deadline in milliseconds since the epoch; Infinity if there is none. */
  readonly deadline: number;
  readonly onHeaders?: ((headers: Metadata) => void) | undefined;
  readonly onTrailers?: ((trailers: Metadata) => void) | undefined;
}

export interface ClientTransport extends AsyncDisposable {
  unary(call: OutgoingCall, request: Uint8Array): Promise<UnaryResponse>;
  stream(call: OutgoingCall, requests: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  ready(options: Abortable): Promise<void>;
}

export interface ServerTransportOptions {
  readonly host: string;
  readonly port: number;
  /** No TLS if not given. */
  readonly tls?: Reloadable<ServerTls> | undefined;
  /** Called for a failed TLS handshake. */
  readonly onTlsFailure?: ((failure: TlsFailure) => void) | undefined;
  /** Returns the identity of a TLS connection's client. Called once per connection. */
  readonly identify?: ((socket: TLSSocket) => SpiffeIdentity) | undefined;
  readonly maxMessageBytes: number;
  /** The most calls in flight on one connection (HTTP/2's SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly maxConcurrentStreams: number;
  /** The time that a unary call without a deadline has. */
  readonly defaultTimeoutMs: number;
  /** The longest time that the request of a unary call may take to arrive. */
  readonly receiveMs: number;
  /** The time after which a call ends of whose answer the client takes nothing. */
  readonly stallMs: number;
  /** The bounds on octets held for clients, in both directions. */
  readonly memory: PeersOptions;
  /** The places of connections. Peers are named by `memory.peerOf`. */
  readonly places: Places;
  readonly maxConnectionAgeMs?: number | undefined;
  /** The time that calls have to end after a connection has reached its age. */
  readonly maxConnectionAgeGraceMs?: number | undefined;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
}

export interface ServerMethod {
  readonly path: string;
  readonly kind: CallKind;
  /** Takes a call. Never throws; answers through `call.finish`. */
  accept(call: IncomingCall): void;
}

/**
 * The request messages. A unary call has its one request at hand. A stream is read once, and throws
 * if the client is gone, so that half an upload does not look complete.
 */
export type Requests = readonly [Uint8Array] | AsyncIterable<Uint8Array>;

/** An incoming call. The transport has checked that a unary call has exactly one request. */
export interface IncomingCall {
  readonly metadata: Metadata;
  readonly peer: string;
  /** The identity of the connection's client; undefined without `identify`. */
  readonly identity: SpiffeIdentity | undefined;
  /** The deadline in milliseconds since the epoch; Infinity if there is none. */
  readonly deadline: number;
  readonly requests: Requests;
  /** Registers `callback`, which runs at most once, if the client is gone before `finish`. */
  onCancel(callback: () => void): void;
  sendHeaders(headers: Metadata): void;
  /**
   * Resolves when the transport has capacity for the next message; rejects if the call is over. One
   * at a time.
   */
  send(message: Uint8Array): Promise<void>;
  /** Returns a wait until the answer of a unary call is sent; undefined if nothing waits. */
  sent?(): Promise<void> | undefined;
  /** Ends the call. Later calls do nothing. */
  finish(status: Status, trailers: Metadata): void;
}

export interface ServerTransport {
  readonly port: number;
  /**
   * Asks the clients on open connections to connect again (GOAWAY), and keeps accepting. Calls in
   * flight go on.
   */
  recycle(): void;
  /** Stops accepting connections and calls. Resolves when the accepted ones have ended. */
  close(): Promise<void>;
  /** Closes every connection at once. */
  destroy(): void;
}
