import type { Abortable } from "@plumbline/concurrency";
import type { UnaryResponse } from "./client/channel.ts";
import type { CallKind } from "./definition.ts";
import type { Metadata } from "./metadata.ts";
import type { Status } from "./status.ts";
import type { TlsFailure } from "./tls/listener.ts";
import type { Reloadable, ClientTls, ServerTls } from "./tls/options.ts";

/**
 * What carries bytes between the two sides. A transport knows frames, flow control and connections; everything else (errors,
 * deadlines by default, telemetry, draining of calls) is above it and shared. Each has a folder with these two files.
 */
export interface Transport {
  /** Connects lazily: this only sets things up. */
  connect(options: ClientTransportOptions): ClientTransport;
  /** Rejects when the address cannot be bound. */
  listen(options: ServerTransportOptions, methods: readonly ServerMethod[]): Promise<ServerTransport>;
}

export interface ClientTransportOptions {
  /** "dns:///host:port", "ipv4:127.0.0.1:50051", or "host:port". */
  readonly target: string;
  /** In the clear when not given. */
  readonly tls?: Reloadable<ClientTls> | undefined;
  readonly maxMessageBytes: number;
  /** Doubled for the connections to come when a server says "too_many_pings" (gRPC A8). */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** It was doubled; grpc-js does not tell. */
  readonly onTooManyPings?: ((keepaliveMs: number) => void) | undefined;
}

/** One call to make. The transport sends the deadline as `grpc-timeout` and keeps it itself as well. */
export interface OutgoingCall extends Abortable {
  readonly path: string;
  readonly metadata: Metadata;
  /** Milliseconds since the epoch; Infinity for none. */
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
  /** In the clear when not given. */
  readonly tls?: Reloadable<ServerTls> | undefined;
  /** A client whose handshake came to nothing. */
  readonly onTlsFailure?: ((failure: TlsFailure) => void) | undefined;
  readonly maxMessageBytes: number;
  /** Calls at once on one connection (HTTP/2's SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly maxConcurrentStreams: number;
  readonly maxConnectionAgeMs?: number | undefined;
  /** How long calls may go on after a connection has reached its age. */
  readonly maxConnectionAgeGraceMs?: number | undefined;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
}

export interface ServerMethod {
  readonly path: string;
  readonly kind: CallKind;
  /** Takes one call. Never throws; answers through `call.finish`. */
  accept(call: IncomingCall): void;
}

/**
 * What the client sends. A unary call has its one request at hand; a stream is read once, and throws when the client is
 * gone: half an upload must not look like a whole one.
 */
export type Requests = readonly [Uint8Array] | AsyncIterable<Uint8Array>;

/** One call that has arrived. A unary call has exactly one request; the transport has seen to it. */
export interface IncomingCall {
  readonly metadata: Metadata;
  readonly peer: string;
  /** Milliseconds since the epoch; Infinity for none. */
  readonly deadline: number;
  readonly requests: Requests;
  /** `callback` runs when the client is gone before `finish`, at most once. */
  onCancel(callback: () => void): void;
  sendHeaders(headers: Metadata): void;
  /** Resolves when the transport has room for the next message; rejects when the call is over. One at a time. */
  send(message: Uint8Array): Promise<void>;
  /** Ends the call. What comes after it does nothing. */
  finish(status: Status, trailers: Metadata): void;
}

export interface ServerTransport {
  readonly port: number;
  /** Accepts no connection and no call from now on; resolves when those that were accepted have ended. */
  close(): Promise<void>;
  /** Ends every connection at once. */
  destroy(): void;
}
