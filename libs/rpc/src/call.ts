import type { Principal } from "@plumbline/auth";
import type { CallKind } from "./definition.ts";
import type { SpiffeIdentity } from "./identity/spiffe.ts";
import type { Metadata, MetadataValue } from "./metadata.ts";
import type { Requests } from "./transport.ts";

/** A call as its handler sees it. */
export interface Call {
  /** "orders.v1.OrdersService/GetOrder" */
  readonly method: string;
  /**
   * Aborts when the answer is no longer wanted: the client has cancelled or gone, the deadline has
   * passed (`deadlineOf` returns it), the server's grace is over, or the server drains and this is
   * a stream. The caller already has its status then, but the server waits for the handler: pass
   * the signal on to everything you await.
   */
  readonly signal: AbortSignal;
  /**
   * Aborts when the server begins to drain. At that moment `signal` aborts for streams; unary calls
   * may finish.
   */
  readonly drain: AbortSignal;
  /** The request's metadata. */
  readonly metadata: Metadata;
  /** The client's address, for the log. */
  readonly peer: string;
  /**
   * The SPIFFE id in the certificate of the connection's client. Undefined if that gives none, and
   * while the server has no `callers`.
   */
  readonly caller: string | undefined;
  /**
   * The key that the client is counted under, with at most 45 characters: the one that a trusted
   * peer names (`trustedPeers`), else that of the peer's address.
   */
  readonly shareKey: string;
  /**
   * Who calls, as a believed peer says (`principalPeers`, `callers`). Undefined for public methods,
   * and while no peer is believed: then everybody may call everything.
   */
  readonly principal: Principal | undefined;
  /** Sets a header. Throws once the first message is sent. */
  setHeader(name: string, value: MetadataValue): void;
  /** Sets a trailer, which goes out with the status, successful or not. */
  setTrailer(name: string, value: MetadataValue): void;
}

/** The same call as interceptors see it, in bytes. */
export interface ServerCall extends Call {
  readonly kind: CallKind;
  /** The caller, or the reason why it has no identity; undefined without `callers`. */
  readonly identity: SpiffeIdentity | undefined;
  /** The share that bounds count the call for: `shareKey`, or "" for one without such bounds. */
  readonly share: string;
  /** The deadline in milliseconds since the epoch; Infinity if there is none. */
  readonly deadline: number;
  readonly requests: Requests;
  /** Resolves when there is capacity for the next message. */
  send(message: Uint8Array): Promise<void>;
  /** Returns a wait until the answer of a unary call is sent; undefined if nothing waits. */
  sent?(): Promise<void> | undefined;
}

/** An outgoing call as interceptors see it. They may add metadata. */
export interface ClientCall {
  /** "orders.v1.OrdersService/GetOrder" */
  readonly method: string;
  readonly kind: CallKind;
  readonly metadata: Metadata;
  readonly signal: AbortSignal | undefined;
  /** The deadline in milliseconds since the epoch; Infinity if there is none. */
  readonly deadline: number;
}
