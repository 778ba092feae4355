import { ErrorCode, type StreamError } from "./error-code.ts";
import { ReceiveWindow, SendWindow } from "./flow-control.ts";
import type { HeaderField } from "./hpack/field.ts";

/** What happens to a stream, as its user hears it. Nothing comes after the last: `isLast`, trailers, or `onReset`. */
export interface StreamHandler {
  /** A response's headers (clients only; a server has the request's with the stream). */
  onHeaders(fields: readonly HeaderField[], isLast: boolean): void;
  /**
   * Call `consume` with the length once these octets are done with: until then they take part of the windows. They are a
   * view of what the socket read, and no one else uses them.
   */
  onData(bytes: Buffer, isLast: boolean): void;
  onTrailers(fields: readonly HeaderField[]): void;
  /** The stream ended early, not by our own `reset`. */
  onReset(error: StreamError): void;
  /** What `sendData` could not send at once is on its way. */
  onDrain(): void;
}

/** What a stream sends by. */
export interface StreamSender {
  /** How much may be sent in one DATA frame now, as far as the connection is concerned. */
  sendable(): number;
  headers(id: number, fields: readonly HeaderField[], isLast: boolean): void;
  data(id: number, prefix: Uint8Array | undefined, body: Uint8Array, from: number, to: number, isLast: boolean): void;
  reset(id: number, code: number): void;
  grant(id: number, octets: number): void;
  /** The stream has data it may send: it gets its turns. */
  queue(stream: Stream): void;
}

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly isServer: boolean;
  readonly sender: StreamSender;
  /** The connection's part of `consume`. */
  consumed(octets: number): void;
  closed(stream: Stream, wasResetByUs: boolean): void;
}

/** One exchange. What a user of the library may do with it. */
export interface Http2Stream {
  readonly id: number;
  readonly isClosed: boolean;
  /** Headers, or trailers when `isLast` comes after them. Trailers wait for the data before them. */
  sendHeaders(fields: readonly HeaderField[], isLast: boolean): void;
  /**
   * Sends `prefix` and `body` one after the other. False when not all of it could go at once, for flow control or a full
   * socket: then `onDrain` says when it has, and no more is sent before. What is sent on a closed stream is dropped.
   */
  sendData(body: Uint8Array, isLast: boolean, prefix?: Uint8Array): boolean;
  /** Gives `octets` of what `onData` brought back to the peer's windows. */
  consume(octets: number): void;
  /** Ends the stream in both directions; nothing more is heard of it. */
  reset(code: number): void;
}

/** A stream as its connection knows it: the states of RFC 9113, 5.1, as two halves that close one by one. */
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
  /** Whether headers, and not only informational ones, have come. */
  hasHeaders = false;
  /** What is left of `content-length`; undefined when none was given. */
  contentLeft: number | undefined;
  #unconsumed = 0;
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
    this.#pending = prefix === undefined ? body : Buffer.concat([prefix, body]);
    this.#sent = 0;
    this.#pendingIsLast = isLast;
    if (this.sendWindow.size > 0) this.#sender.queue(this);
    return this.#pending === undefined;
  }

  /** Whether there is data that only waits for its turn. */
  get mayPump(): boolean {
    return this.#pending !== undefined && this.sendWindow.size > 0;
  }

  /** Sends one frame of what is pending. */
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
    if (this.#trailers !== undefined) this.#sender.headers(this.id, this.#trailers, true);
    if (isLast || this.#trailers !== undefined) this.endLocal();
    else this.handler.onDrain();
  }

  consume(octets: number): void {
    if (this.isClosed) return; // Its part of the connection's window went back when it closed.
    this.#unconsumed -= octets;
    this.#host.consumed(octets);
    if (this.isRemoteEnded) return;
    const grant = this.#receiveWindow.consume(octets);
    if (grant > 0) this.#sender.grant(this.id, grant);
  }

  /** Takes octets that came into the windows. False when there are more than were granted. */
  receive(octets: number): boolean {
    this.#unconsumed += octets;
    return this.#receiveWindow.receive(octets);
  }

  reset(code: number): void {
    if (this.isClosed) return;
    this.#sender.reset(this.id, code);
    this.close(true);
  }

  /** The peer, the connection or the rules ended it. */
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
    // The answer is complete and the request is not: the rest of it is not wanted (RFC 9113, 8.1).
    else if (this.#host.isServer) this.reset(ErrorCode.noError);
  }

  close(wasResetByUs: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#pending = undefined;
    if (this.#unconsumed > 0) this.#host.consumed(this.#unconsumed);
    this.#host.closed(this, wasResetByUs);
  }
}
