import type { Abortable } from "@plumbline/concurrency";
import type { Metadata, MetadataInit } from "../metadata.ts";
import type { RetryThrottle } from "./retry-throttle.ts";

export interface CallOptions extends Abortable {
  /**
   * The longest this call may take, streams included. The channel's default if not given; Infinity
   * sets no deadline.
   */
  readonly timeoutMs?: number | undefined;
  readonly metadata?: MetadataInit | undefined;
  /**
   * The number of earlier attempts of this call. The server reads it as
   * `grpc-previous-rpc-attempts`.
   */
  readonly previousAttempts?: number | undefined;
  /** Called when the response's headers arrive, at most once. */
  readonly onHeaders?: ((headers: Metadata) => void) | undefined;
  /**
   * Called with the trailers when the server has ended the call, successfully or not; at most once.
   */
  readonly onTrailers?: ((trailers: Metadata) => void) | undefined;
}

export interface UnaryResponse {
  readonly message: Uint8Array;
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/**
 * A connection to one service, for calls in bytes. A gateway, which has no generated types, uses it
 * as it is; `createClient` adds types. Paths are "/orders.v1.OrdersService/GetOrder". Every call
 * has a deadline, the nearer of the signal's and `timeoutMs`, and sends it as `grpc-timeout`. Calls
 * reject with a `ServiceError`, or with the signal's reason once that has aborted.
 *
 * A stream of responses begins when it is first read and can be read once. It reads one message
 * ahead of its reader, besides HTTP/2's window, and is cancelled when its reader leaves.
 */
export interface Channel extends AsyncDisposable {
  /**
   * The retry tokens of this channel. Clients record the outcome of their calls here; code that
   * retries in bytes may too.
   */
  readonly retries: RetryThrottle;
  unary(path: string, request: Uint8Array, options?: CallOptions): Promise<UnaryResponse>;
  serverStream(path: string, request: Uint8Array, options?: CallOptions): AsyncIterable<Uint8Array>;
  clientStream(path: string, requests: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<UnaryResponse>;
  bidiStream(path: string, requests: AsyncIterable<Uint8Array>, options?: CallOptions): AsyncIterable<Uint8Array>;
  /** Resolves once a connection is established; connects if there is none. For health checks. */
  ready(options?: Abortable): Promise<void>;
}
