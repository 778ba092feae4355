import type { Socket } from "node:net";
import { ConnectionError, ErrorCode, errorName, StreamError } from "./error-code.ts";
import { Floods } from "./floods.ts";
import { maxStreamId, preface } from "./frames/types.ts";
import { HpackError } from "./hpack/error.ts";
import type { HeaderField } from "./hpack/field.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";
import type { Holder, Peer, Peers } from "./peers.ts";
import { Receiver } from "./receiver.ts";
import { refuseMalformed, Sender } from "./sender.ts";
import { encodeSettings, initialSettings } from "./settings.ts";
import { type Http2Stream, Stream, type StreamHandler, type StreamHost } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

export interface ConnectionOptions {
  /** The most unconsumed octets of a stream; 256 KiB if not given. */
  readonly streamWindow?: number | undefined;
  /**
   * The most unconsumed octets of all streams together; 8 MiB if not given. At the bound the peer
   * waits, with all streams.
   */
  readonly connectionWindow?: number | undefined;
  /** The most streams that the peer may have open; 1,000 if not given, none for a client. */
  readonly maxConcurrentStreams?: number | undefined;
  /** The largest header list, as RFC 9113 counts it; 64 KiB if not given. */
  readonly maxHeaderListSize?: number | undefined;
  readonly keepalive?: KeepaliveOptions | undefined;
  /** The accounts of a server's peers. Connections that share them share its bounds. */
  readonly peers?: Peers | undefined;
  /**
   * The number of a client's first stream, which is odd; 1 if not given. Tests start near the last
   * number.
   */
  readonly firstStreamId?: number | undefined;
  /** The time from connecting to the peer's first frame; 10 s if not given. */
  readonly handshakeTimeoutMs?: number | undefined;
}

export interface ConnectionHandler {
  /** Called on a server for a request. The handler that it returns gets the rest. */
  onStream?(stream: Http2Stream, fields: readonly HeaderField[], isLast: boolean): StreamHandler;
  /**
   * Called when the peer's settings arrive. After the first time the connection is ready; later its
   * limits may have changed.
   */
  onSettings?(): void;
  /**
   * Called when no new streams can be opened: the peer sent GOAWAY, or the numbers are used up.
   * Streams that the peer has not processed get `onReset`; when the others have ended, the
   * connection closes. `debug` is the peer's text, truncated.
   */
  onGoAway?(code: number, debug: string): void;
  /**
   * Called when all frames of one read were handled. A request whose reset came with it has ended
   * by then.
   */
  onRead?(): void;
  /** Called when a stream has ended, so there is capacity for another. */
  onStreamClosed?(): void;
  /**
   * Called when the connection and its streams are closed. `reason` is missing if it closed in
   * order.
   */
  onClose?(reason: Error | undefined): void;
}

/**
 * The longest pause after a read of a trusted peer that resets too many streams. One read can bring
 * no more resets than the budget allows in this time, and a ping is answered within it.
 */
const longestPauseMs = 2_500;
/** The most octets of control frames and headers that wait for a peer that does not read. */
const maxUnread = 4 * 1024 * 1024;
/** The time after GOAWAY that the peer has to read it and disconnect. */
const lingerMs = 1_000;
/**
 * The time that a draining server waits for the pong that shows that the peer has read its GOAWAY.
 */
const drainPingMs = 1_000;

const drainPing = Buffer.from("draining", "latin1");
const alivePing = Buffer.from("alive???", "latin1");
const noDebug = Buffer.alloc(0);

/**
 * One HTTP/2 connection over a connected socket, for either side: its life from the preface to the
 * drain and the end. The receiver enforces the rules for received frames, the sender those for sent
 * ones. Everything sent in one turn of the event loop leaves in one write.
 */
export class Connection implements StreamHost, Holder {
  readonly isServer: boolean;
  readonly sender: Sender;
  readonly #socket: Socket;
  readonly #handler: ConnectionHandler;
  readonly #streams: StreamTable;
  readonly #floods: Floods;
  readonly #account: Peer | undefined;
  readonly #receiver: Receiver;
  readonly #streamWindow: number;
  readonly #keepalive: Keepalive | undefined;
  readonly #handshake: NodeJS.Timeout;
  #prefaceLeft: Buffer | undefined;
  #isDraining = false;
  #peerIsGoing = false;
  #drainTimer: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** True once nothing counts as held any more. */
  #isReleased = false;
  #failure: Error | undefined;
  #held = 0;
  /** The part of it that the socket buffers. */
  #buffered = 0;

  constructor(socket: Socket, role: "client" | "server", handler: ConnectionHandler, options: ConnectionOptions = {}) {
    this.isServer = role === "server";
    const { streamWindow = 256 * 1024, connectionWindow = 8 * 1024 * 1024, maxHeaderListSize = 64 * 1024 } = options;
    const maxConcurrentStreams = this.isServer ? (options.maxConcurrentStreams ?? 1_000) : 0;
    this.#socket = socket;
    this.#handler = handler;
    this.#streamWindow = streamWindow;
    this.#account = options.peers?.enter(socket.remoteAddress ?? "", this);
    this.#floods = this.#account?.floods ?? new Floods();
    this.#streams = new StreamTable(this.isServer, options.firstStreamId ?? 1);
    this.sender = new Sender(socket, this.#floods, () => this.#onFull());
    const { isServer, sender } = this;
    const limits = { connectionWindow, maxConcurrentStreams, maxHeaderListSize };
    this.#receiver = new Receiver(
      { isServer, sender, streams: this.#streams, floods: this.#floods, ...limits },
      {
        begin: (id) => this.#begin(id, ignoring),
        onStream: (stream, fields, isLast) => handler.onStream?.(stream, fields, isLast) ?? ignoring,
        onSettings: () => {
          clearTimeout(this.#handshake);
          handler.onSettings?.();
        },
        onPong: (opaque) => {
          if (this.#isDraining && opaque.equals(drainPing)) this.#refuseNew();
          else if (opaque.equals(alivePing)) this.#keepalive?.answered();
        },
        onGoAway: (lastId, code, debug) => this.#onGoAway(lastId, code, debug),
      },
    );
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onRead(chunk));
    socket.on("drain", () => {
      this.release(this.#buffered);
      this.#buffered = 0;
      sender.room();
    });
    socket.on("error", (error) => (this.#failure ??= error));
    socket.on("close", () => this.#onClose());

    const { writer } = sender;
    if (isServer) this.#prefaceLeft = preface;
    else writer.raw(preface);
    writer.settings(
      encodeSettings({
        ...(isServer ? { maxConcurrentStreams } : { enablePush: false }),
        initialWindowSize: streamWindow,
        maxHeaderListSize,
      }),
    );
    const granted = initialSettings.initialWindowSize;
    if (connectionWindow > granted) writer.windowUpdate(0, connectionWindow - granted);

    this.#handshake = setTimeout(
      () => this.destroy(new ConnectionError(ErrorCode.settingsTimeout, "the peer sent no settings")),
      options.handshakeTimeoutMs ?? 10_000,
    ).unref();
    this.#keepalive =
      options.keepalive &&
      new Keepalive(options.keepalive, {
        isWanted: () => isServer || this.#streams.size > 0,
        ask: () => writer.ping(alivePing, false),
        giveUp: () => this.destroy(new ConnectionError(ErrorCode.noError, "the peer does not answer")),
      });
  }

  /** The number of open streams. */
  get size(): number {
    return this.#streams.size;
  }

  /** True if `open` may be called now. */
  get hasRoom(): boolean {
    return this.isOpen && this.#receiver.hasSettings && this.#streams.size < this.sender.peer.maxConcurrentStreams;
  }

  /** True if new streams can be opened, now or after others have ended. */
  get isOpen(): boolean {
    return !this.#isClosing && !this.#peerIsGoing && !this.#isDraining && this.#streams.nextId <= maxStreamId;
  }

  get peer(): string {
    const { remoteAddress = "", remoteFamily, remotePort } = this.#socket;
    return remoteFamily === "IPv6" ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  }

  /** Opens a client's stream with its request. Only while `hasRoom`. */
  open(fields: readonly HeaderField[], isLast: boolean, handler: StreamHandler): Http2Stream {
    if (!this.hasRoom) throw new Error("the connection has no room for another stream");
    refuseMalformed(fields);
    const streams = this.#streams;
    const stream = this.#begin(streams.nextId, handler);
    streams.nextId += 2;
    stream.sendHeaders(fields, isLast);
    this.#keepalive?.wanted();
    if (streams.nextId > maxStreamId) {
      this.drain();
      this.#handler.onGoAway?.(ErrorCode.noError, "");
    }
    return stream;
  }

  /**
   * Refuses new streams, and closes when the open ones have ended. A server sends GOAWAY twice (RFC
   * 9113, 6.8): first that it will close, then, once the client must have read that, the last
   * stream that it processes.
   */
  drain(): void {
    if (this.#isDraining || this.#isClosing) return;
    this.#isDraining = true;
    if (!this.isServer) return this.#closeWhenIdle();
    this.sender.writer.goAway(maxStreamId, ErrorCode.noError, noDebug);
    this.sender.writer.ping(drainPing, false);
    this.#drainTimer = setTimeout(() => this.#refuseNew(), drainPingMs).unref();
  }

  /** Closes the connection and all its streams at once. */
  destroy(reason?: Error): void {
    this.#failure ??= reason;
    this.#receiver.isEnded = true;
    this.#socket.destroy();
  }

  // Calls from streams.

  consumed(octets: number): void {
    this.#receiver.consumed(octets);
  }

  closed(stream: Stream, wasResetByUs: boolean): void {
    this.#streams.closed(stream.id, wasResetByUs);
    this.sender.forget(stream);
    if (stream.isLocalEnded && stream.isRemoteEnded) this.#floods.streamEnded();
    this.#handler.onStreamClosed?.();
    // The peer caused the reset: it sent an invalid or an incomplete request.
    if (this.isServer && wasResetByUs) this.#charge();
    if (this.#isDraining || this.#peerIsGoing) this.#closeWhenIdle();
  }

  hold(octets: number): boolean {
    const account = this.#account;
    if (account === undefined) return true;
    if (this.#isReleased || !account.hold(octets)) return false;
    this.#held += octets;
    return true;
  }

  release(octets: number): void {
    if (this.#account === undefined || this.#isReleased) return;
    this.#held -= octets;
    this.#account.release(octets);
  }

  // Calls from the account of the peer.

  get held(): number {
    return this.#held;
  }

  cut(): void {
    let largest: Stream | undefined;
    for (const stream of this.#streams.values()) if (stream.held > (largest?.held ?? 0)) largest = stream;
    if (largest !== undefined && largest.held > this.#buffered) {
      this.sender.reset(largest.id, ErrorCode.enhanceYourCalm);
      return largest.fail(new StreamError(ErrorCode.enhanceYourCalm, "it holds more memory than any other", "local"));
    }
    this.#releaseAll();
    this.destroy(new ConnectionError(ErrorCode.enhanceYourCalm, "the peer holds more memory than any other"));
  }

  #releaseAll(): void {
    this.release(this.#held);
    this.#isReleased = true;
  }

  /** Charges the peer for a reset of ours. Past its budget the connection ends. */
  #charge(): void {
    try {
      this.#floods.streamReset();
    } catch (error) {
      this.#fail(error);
    }
  }

  #begin(id: number, handler: StreamHandler): Stream {
    const windows = { send: this.sender.peer.initialWindowSize, receive: this.#streamWindow };
    const stream = new Stream(this, id, handler, windows);
    this.#streams.add(stream);
    return stream;
  }

  // The socket, and the end.

  /** True while received frames are dropped and nothing is accepted. */
  get #isClosing(): boolean {
    return this.#receiver.isEnded;
  }

  #onRead(chunk: Buffer): void {
    if (this.#isClosing) return; // Frames after our GOAWAY are dropped.
    this.#keepalive?.received();
    try {
      const rest = this.#prefaceLeft === undefined ? chunk : this.#readPreface(chunk, this.#prefaceLeft);
      if (rest !== undefined) this.#receiver.push(rest);
      const pauseMs = this.#floods.pauseMs;
      if (pauseMs > 0) this.#pause(Math.min(pauseMs, longestPauseMs));
      this.#handler.onRead?.();
    } catch (error) {
      this.#fail(error);
    }
  }

  #pause(ms: number): void {
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), ms).unref();
  }

  #readPreface(chunk: Buffer, expected: Buffer): Buffer | undefined {
    const length = Math.min(chunk.length, expected.length);
    if (chunk.compare(expected, 0, length, 0, length) !== 0) {
      throw new ConnectionError(ErrorCode.protocolError, "the client does not speak HTTP/2 (with prior knowledge)");
    }
    this.#prefaceLeft = length === expected.length ? undefined : expected.subarray(length);
    return this.#prefaceLeft === undefined ? chunk.subarray(length) : undefined;
  }

  #onFull(): void {
    const { writableLength } = this.#socket;
    const more = writableLength - this.#buffered;
    if (writableLength <= maxUnread && this.hold(more)) this.#buffered = writableLength;
    else this.destroy(new ConnectionError(ErrorCode.enhanceYourCalm, "the peer does not read its responses"));
  }

  #onGoAway(lastId: number, code: number, debug: string): void {
    this.#peerIsGoing = true;
    if (!this.isServer) {
      for (const stream of this.#streams.values()) {
        if (stream.id <= lastId) continue;
        stream.fail(new StreamError(code, `the server is going away: ${errorName(code)}`, "connection", true));
      }
    }
    this.#handler.onGoAway?.(code, debug);
    this.#closeWhenIdle();
  }

  #refuseNew(): void {
    const { lastPeerId, acceptUpTo } = this.#streams;
    if (acceptUpTo !== maxStreamId || this.#isClosing) return;
    clearTimeout(this.#drainTimer);
    this.#streams.acceptUpTo = lastPeerId;
    this.sender.writer.goAway(lastPeerId, ErrorCode.noError, noDebug);
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#streams.size > 0 || this.#isClosing) return;
    // A draining server accepts streams until its client has read the first GOAWAY.
    if (this.isServer && this.#isDraining && this.#streams.acceptUpTo === maxStreamId) return;
    this.#hangUp();
  }

  #fail(error: unknown): void {
    const known =
      error instanceof ConnectionError
        ? error
        : error instanceof HpackError
          ? new ConnectionError(ErrorCode.compressionError, error.message, { cause: error })
          : new ConnectionError(ErrorCode.internalError, "a handler of the connection failed", { cause: error });
    this.#failure ??= known;
    if (this.#isClosing) return;
    const { lastPeerId, acceptUpTo } = this.#streams;
    this.sender.writer.goAway(Math.min(lastPeerId, acceptUpTo), known.code, Buffer.from(known.message));
    this.#hangUp();
  }

  /** Flushes, and gives the peer a moment to read the last frames. */
  #hangUp(): void {
    this.#receiver.isEnded = true;
    this.sender.writer.flush();
    this.#socket.end();
    this.#linger = setTimeout(() => this.#socket.destroy(), lingerMs).unref();
    this.#endStreams();
  }

  #onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#receiver.isEnded = true;
    clearTimeout(this.#handshake);
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#linger); // It would keep the connection and its buffers for a second.
    this.#keepalive?.[Symbol.dispose]();
    this.#endStreams();
    this.#releaseAll();
    this.#account?.leave(this);
    this.#handler.onClose?.(this.#failure);
  }

  #endStreams(): void {
    const message =
      this.#failure === undefined ? "the connection was closed" : `the connection was lost: ${this.#failure.message}`;
    for (const stream of this.#streams.values()) {
      stream.fail(new StreamError(ErrorCode.internalError, message, "connection"));
    }
  }
}

/** The handler of a stream until the server's handler is known, or if it has none. */
const ignoring: StreamHandler = {
  onHeaders: () => {},
  onData: () => {},
  onTrailers: () => {},
  onReset: () => {},
  onDrain: () => {},
};
