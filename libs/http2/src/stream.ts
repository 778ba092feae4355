import { ErrorCode, StreamError } from "./error-code.ts";
import { ReceiveWindow, SendWindow } from "./flow-control.ts";
import type { HeaderField } from "./hpack/field.ts";

/** The events of a stream. None follows the last: `isLast`, trailers, or `onReset`. */
export interface StreamHandler {
  /** Called with a response's headers. A server gets the request's headers with the stream. */
  onHeaders(fields: readonly HeaderField[], isLast: boolean): void;
  /**
   * Called with data. Call `consume` with the length once the octets are processed: until then they
   * take part of the windows. They are a view of the socket's read, which nothing else uses.
   */
  onData(bytes: Buffer, isLast: boolean): void;
  onTrailers(fields: readonly HeaderField[]): void;
  /** Called when the stream ended early, unless by our own `reset`. */
  onReset(error: StreamError): void;
  /** Called when the rest of `sendData` was sent. */
  onDrain(): void;
}

/** The part of the sender that streams use. */
export interface StreamSender {
  /** Returns the octets that the connection allows in one DATA frame now. */
  sendable(): number;
  headers(id: number, fields: readonly HeaderField[], isLast: boolean): void;
  data(id: number, prefix: Uint8Array | undefined, body: Uint8Array, from: number, to: number, isLast: boolean): void;
  reset(id: number, code: number): void;
  grant(id: number, octets: number): void;
  /** Queues a stream that has data to send. */
  queue(stream: Stream): void;
}

/** The part of the connection that streams use. */
export interface StreamHost {
  readonly isServer: boolean;
  readonly sender: StreamSender;
  /** The connection's part of `consume`. */
  consumed(octets: number): void;
  /** Counts octets that are held for the peer. Returns false if they do not fit its bounds. */
  hold(octets: number): boolean;
  release(octets: number): void;
  closed(stream: Stream, wasResetByUs: boolean): void;
}

/** One exchange, as users of this library see it. */
export interface Http2Stream {
  readonly id: number;
  readonly isClosed: boolean;
  /** Sends headers, or trailers if `isLast`. Trailers wait for earlier data. */
  sendHeaders(fields: readonly HeaderField[], isLast: boolean): void;
  /**
   * Sends `prefix` and then `body`. Returns false if not everything could be sent at once, for flow
   * control or a full socket: then wait for `onDrain` before sending more. Data on a closed stream
   * is dropped.
   */
  sendData(body: Uint8Array, isLast: boolean, prefix?: Uint8Array): boolean;
  /**
   * Returns `octets` of received data to the peer's windows. With `isKept` they still count as held
   * for the peer, until `release` or the end of the stream.
   */
  consume(octets: number, isKept?: boolean): void;
  /** Gives back octets that were consumed and kept. */
  release(octets: number): void;
  /** The octets of `sendData` that wait for the peer. */
  readonly unsent: number;
  /** Returns false if that much data would have to wait, and there is no memory for it. */
  hasRoomFor(octets: number): boolean;
  /** Resets the stream in both directions. No more events follow. */
  reset(code: number): void;
}

/**
 * A stream as its connection sees it: the states of RFC 9113, 5.1, as two halves that close one by
 * one.
 */
export class Stream implements Http2Stream {
  readonly id: number;
  handler: StreamHandler;
  readonly sendWindow: SendWindow;
  readonly #receiveWindow: ReceiveWindow;
  readonly #host: StreamHost;
  readonly #sender: StreamSender;
  isLocalEnded = false;
  isRemoteEnded = false;
  isClosed = false;
  /** True once final headers, not only informational ones, were received. */
  hasHeaders = false;
  /** The octets of `content-length` that are still to come; undefined if it was not given. */
  contentLeft: number | undefined;
  #unconsumed = 0;
  /** The octets of this stream that count as held for the peer. */
  #held = 0;
  #pending: Uint8Array | undefined;
  #sent = 0;
  #pendingIsLast = false;
  #trailers: readonly HeaderField[] | undefined;

  constructor(host: StreamHost, id: number, handler: StreamHandler, windows: { send: number; receive: number }) {
    this.#host = host;
    this.#sender = host.sender;
    this.id = id;
    this.handler = handler;
    this.sendWindow = new SendWindow(windows.send);
    this.#receiveWindow = new ReceiveWindow(windows.receive);
  }

  sendHeaders(fields: readonly HeaderField[], isLast: boolean): void {
    if (this.isClosed || this.isLocalEnded) return;
    if (this.#pending !== undefined) {
      this.#trailers = fields;
      return;
    }
    this.#sender.headers(this.id, fields, isLast);
    if (isLast) this.endLocal();
  }

  sendData(body: Uint8Array, isLast: boolean, prefix?: Uint8Array): boolean {
    if (this.isClosed || this.isLocalEnded) return true;
    if (this.#pending !== undefined) throw new Error("wait for onDrain before more is sent on this stream");
    const length = body.length + (prefix?.length ?? 0);
    if (length === 0 || length <= Math.min(this.sendWindow.size, this.#sender.sendable())) {
      this.sendWindow.take(length);
      this.#sender.data(this.id, prefix, body, 0, body.length, isLast);
      if (isLast) this.endLocal();
      return true;
    }
    if (!this.hold(length)) {
      this.#sender.reset(this.id, ErrorCode.enhanceYourCalm);
      this.fail(new StreamError(ErrorCode.enhanceYourCalm, "there is no memory for data that waits", "local"));
      return true;
    }
    this.#pending = prefix === undefined ? body : Buffer.concat([prefix, body]);
    this.#sent = 0;
    this.#pendingIsLast = isLast;
    if (this.sendWindow.size > 0) this.#sender.queue(this);
    return this.#pending === undefined;
  }

  /** The octets that count as held for the peer. */
  get held(): number {
    return this.#held;
  }

  get unsent(): number {
    return this.#pending === undefined ? 0 : this.#pending.length - this.#sent;
  }

  hasRoomFor(octets: number): boolean {
    if (octets <= Math.min(this.sendWindow.size, this.#sender.sendable())) return true;
    if (!this.hold(octets)) return false;
    this.release(octets);
    return true;
  }

  /** Counts octets that are held for the peer. Returns false if they do not fit its bounds. */
  hold(octets: number): boolean {
    if (!this.#host.hold(octets)) return false;
    this.#held += octets;
    return true;
  }

  release(octets: number): void {
    if (this.isClosed) return; // Everything was given back when it closed.
    this.#held -= octets;
    this.#host.release(octets);
  }

  /** True if data only waits for its turn. */
  get mayPump(): boolean {
    return this.#pending !== undefined && this.sendWindow.size > 0;
  }

  /** Sends one frame of pending data. */
  pump(): void {
    const pending = this.#pending;
    const limit = Math.min(this.sendWindow.size, this.#sender.sendable());
    if (pending === undefined || limit <= 0) return;
    const from = this.#sent;
    const to = Math.min(pending.length, from + limit);
    const isDone = to === pending.length;
    const isLast = isDone && this.#pendingIsLast;
    this.#sent = to;
    this.sendWindow.take(to - from);
    this.#sender.data(this.id, undefined, pending, from, to, isLast);
    if (!isDone) return;
    this.#pending = undefined;
    this.release(pending.length);
    if (this.#trailers !== undefined) this.#sender.headers(this.id, this.#trailers, true);
    if (isLast || this.#trailers !== undefined) this.endLocal();
    else this.handler.onDrain();
  }

  consume(octets: number, isKept = false): void {
    if (this.isClosed) return; // Its part of the connection's window was returned when it closed.
    this.#unconsumed -= octets;
    if (!isKept) this.release(octets);
    this.#host.consumed(octets);
    if (this.isRemoteEnded) return;
    const grant = this.#receiveWindow.consume(octets);
    if (grant > 0) this.#sender.grant(this.id, grant);
  }

  /** Takes received octets from the windows. Returns false if they exceed the grant. */
  receive(octets: number): boolean {
    this.#unconsumed += octets;
    return this.#receiveWindow.receive(octets);
  }

  reset(code: number): void {
    if (this.isClosed) return;
    this.#sender.reset(this.id, code);
    this.close(true);
  }

  /** Ends the stream for the peer, the connection or a violation. */
  fail(error: StreamError): void {
    if (this.isClosed) return;
    this.close(error.origin === "local");
    this.handler.onReset(error);
  }

  endRemote(): void {
    this.isRemoteEnded = true;
    if (this.isLocalEnded) this.close(false);
  }

  endLocal(): void {
    this.isLocalEnded = true;
    if (this.isRemoteEnded) this.close(false);
    // The response is complete and the request is not: the rest is not wanted (RFC 9113, 8.1).
    else if (this.#host.isServer) this.reset(ErrorCode.noError);
  }

  close(wasResetByUs: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#pending = undefined;
    if (this.#unconsumed > 0) this.#host.consumed(this.#unconsumed);
    this.#host.release(this.#held);
    this.#host.closed(this, wasResetByUs);
  }
}
