import type { CallKind } from "./definition.ts";
import type { Metadata, MetadataValue } from "./metadata.ts";
import type { Requests } from "./transport.ts";

/** One call as its handler sees it. */
export interface Call {
  /** "orders.v1.OrdersService/GetOrder" */
  readonly method: string;
  /**
   * Aborts when the answer is no longer wanted: the client is gone, the deadline has passed (`deadlineOf` tells it), the
   * server's grace is over, or it drains and this is a stream. The caller has its status by then, whatever the handler
   * does, but the server waits for it: a handler passes the signal on to everything it awaits.
   */
  readonly signal: AbortSignal;
  /** Aborts when the server begins to drain. Streams end by `signal` at that moment; unary calls may finish. */
  readonly drain: AbortSignal;
  /** What came with the request. */
  readonly metadata: Metadata;
  /** The client's address, for the log. */
  readonly peer: string;
  /** Goes out before the first message; later it is too late and throws. */
  setHeader(name: string, value: MetadataValue): void;
  /** Goes out with the status, successful or not. */
  setTrailer(name: string, value: MetadataValue): void;
}

/** The same call as interceptors see it, in bytes. */
export interface ServerCall extends Call {
  readonly kind: CallKind;
  /** When it must be answered: milliseconds since the epoch; Infinity for never. */
  readonly deadline: number;
  readonly requests: Requests;
  /** Resolves when there is room for the next message. */
  send(message: Uint8Array): Promise<void>;
}

/** A call going out, as interceptors see it. They may add to its metadata. */
export interface ClientCall {
  /** "orders.v1.OrdersService/GetOrder" */
  readonly method: string;
  readonly kind: CallKind;
  readonly metadata: Metadata;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds since the epoch; Infinity for none. */
  readonly deadline: number;
}
