import type { Abortable } from "@plumbline/concurrency";
import type { Metadata, MetadataInit } from "../metadata.ts";
import type { RetryThrottle } from "./retry-throttle.ts";

export interface CallOptions extends Abortable {
  /** The longest this call may take, streams included; the channel's default when not given. Infinity sets none. */
  readonly timeoutMs?: number | undefined;
  readonly metadata?: MetadataInit | undefined;
  /** How often this call was made before: what the server reads as `grpc-previous-rpc-attempts`. */
  readonly previousAttempts?: number | undefined;
  /** Called when the response's headers arrive, at most once. */
  readonly onHeaders?: ((headers: Metadata) => void) | undefined;
  /** Called when the call has ended and the other side said how, with success or not, at most once. */
  readonly onTrailers?: ((trailers: Metadata) => void) | undefined;
}

export interface UnaryResponse {
  readonly message: Uint8Array;
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/**
 * Calls to one service, in bytes: who has no generated types (a gateway) uses it as it is, `createClient` adds them. Paths
 * are "/orders.v1.OrdersService/GetOrder". Every call has a deadline: the nearest of the signal's and `timeoutMs`, sent as
 * `grpc-timeout`. Calls reject with a `ServiceError`, or with the signal's reason once that has aborted.
 *
 * A stream of responses begins when it is first read, reads no further ahead than its reader (one message, and what
 * HTTP/2's window holds), and is cancelled when its reader leaves. It can be read once.
 */
export interface Channel extends AsyncDisposable {
  /** What the ends of calls say about making them again. Clients count theirs; who uses the bytes and retries may too. */
  readonly retries: RetryThrottle;
  unary(path: string, request: Uint8Array, options?: CallOptions): Promise<UnaryResponse>;
  serverStream(path: string, request: Uint8Array, options?: CallOptions): AsyncIterable<Uint8Array>;
  clientStream(path: string, requests: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<UnaryResponse>;
  bidiStream(path: string, requests: AsyncIterable<Uint8Array>, options?: CallOptions): AsyncIterable<Uint8Array>;
  /** Resolves once a connection stands; connects if there is none. For health checks. */
  ready(options?: Abortable): Promise<void>;
}
