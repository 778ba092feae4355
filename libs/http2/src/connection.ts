import type { Socket } from "node:net";
import { Budget } from "./budget.ts";
import { ClosedStreams } from "./closed-streams.ts";
import { ConnectionError, ErrorCode, errorName, StreamError } from "./error-code.ts";
import { ReceiveWindow, SendWindow } from "./flow-control.ts";
import { FrameReader } from "./frames/reader.ts";
import { Flag, FrameType, maxStreamId, preface } from "./frames/types.ts";
import { FrameWriter } from "./frames/writer.ts";
import { HeaderBlock } from "./header-block.ts";
import { areTrailers, contentLength, isRequest, isResponse } from "./header-rules.ts";
import { Decoder } from "./hpack/decoder.ts";
import { Encoder } from "./hpack/encoder.ts";
import { HpackError } from "./hpack/error.ts";
import { FieldKind, type HeaderField } from "./hpack/field.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";
import { applySettings, encodeSettings, initialSettings, type Settings } from "./settings.ts";
import { type Http2Stream, Stream, type StreamHandler, type StreamHost } from "./stream.ts";

export interface ConnectionOptions {
  /** What a stream may hold that was not consumed yet, 256 KiB when not given. */
  readonly streamWindow?: number | undefined;
  /** What all streams together may hold, 8 MiB when not given: past it the peer waits, with all of them. */
  readonly connectionWindow?: number | undefined;
  /** Streams the peer may have open, 1,000 when not given; none for a client. */
  readonly maxConcurrentStreams?: number | undefined;
  /** A header list, as RFC 9113 counts it, 64 KiB when not given. */
  readonly maxHeaderListSize?: number | undefined;
  readonly keepalive?: KeepaliveOptions | undefined;
  /** The number of a client's first stream, 1 when not given. Odd. What happens at the last can be tried near it. */
  readonly firstStreamId?: number | undefined;
  /** From connecting to the peer's first frame, 10 s when not given. */
  readonly handshakeTimeoutMs?: number | undefined;
}

export interface ConnectionHandler {
  /** A server's: a request has come. What it returns hears the rest. */
  onStream?(stream: Http2Stream, fields: readonly HeaderField[], isLast: boolean): StreamHandler;
  /** The peer's settings have come: the first time the connection is ready, later its limits may have changed. */
  onSettings?(): void;
  /**
   * No new streams can be opened: the peer says so, or their numbers are used up. Those the peer has not processed hear
   * `onReset` themselves; when the others have ended the connection closes. `debug` is what the peer says about it, cut.
   */
  onGoAway?(code: number, debug: string): void;
  /** A stream has ended: there is room for another. */
  onStreamClosed?(): void;
  /** The connection is over, with all its streams. `reason` is missing where it ended in order. */
  onClose?(reason: Error | undefined): void;
}

type Limits = Record<"streamWindow" | "connectionWindow" | "maxConcurrentStreams" | "maxHeaderListSize", number>;

/** Answers (to pings, settings, resets) and headers that wait for a peer that does not read. */
const maxUnread = 4 * 1024 * 1024;
/** After GOAWAY: how long the peer gets to read it and hang up. */
const lingerMs = 1_000;
/** How long a draining server waits for the answer that tells that the peer has read its GOAWAY. */
const drainPingMs = 1_000;

const drainPing = Buffer.from("draining", "latin1");
const alivePing = Buffer.from("alive???", "latin1");
const noDebug = Buffer.alloc(0);
/** What is handed on of a peer's debug data. */
const maxDebug = 256;

/**
 * One HTTP/2 connection over a connected socket, of either side. It reads frames, keeps the rules, and gives streams to
 * those who use them; all it sends in one turn of the event loop leaves in one write.
 */
export class Connection implements StreamHost {
  readonly isServer: boolean;
  readonly #socket: Socket;
  readonly #handler: ConnectionHandler;
  readonly #limits: Limits;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #decoder = new Decoder();
  readonly #encoder = new Encoder();
  readonly #block: HeaderBlock;
  readonly #sendWindow = new SendWindow(initialSettings.initialWindowSize);
  readonly #receiveWindow: ReceiveWindow;
  readonly #streams = new Map<number, Stream>();
  /** Streams with data that wait for their turn, in its order. */
  readonly #waiting = new Set<Stream>();
  readonly #closedStreams = new ClosedStreams();
  readonly #keepalive: Keepalive | undefined;
  readonly #handshake: NodeJS.Timeout;
  /** What costs us more than the peer: control frames, empty frames. Every frame that carries something earns some back. */
  readonly #idleFrames = new Budget({ burst: 2_000, perSecond: 200 });
  /** Streams reset before their end ("rapid reset", CVE-2023-44487); those that end in order earn some back. */
  readonly #resets = new Budget({ burst: 1_000, perSecond: 100 });
  #remote: Settings = initialSettings;
  #hasSettings = false;
  #prefaceLeft: Buffer | undefined;
  #isCongested = false;
  #lastPeerId = 0;
  #nextId: number;
  /** Streams above this get no answer: we have said so in GOAWAY. */
  #acceptUpTo = maxStreamId;
  #isDraining = false;
  #peerIsGoing = false;
  #drainTimer: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #isClosing = false;
  #isClosed = false;
  #failure: Error | undefined;

  constructor(socket: Socket, role: "client" | "server", handler: ConnectionHandler, options: ConnectionOptions = {}) {
    this.isServer = role === "server";
    this.#nextId = options.firstStreamId ?? 1;
    this.#socket = socket;
    this.#handler = handler;
    this.#limits = {
      streamWindow: options.streamWindow ?? 256 * 1024,
      connectionWindow: options.connectionWindow ?? 8 * 1024 * 1024,
      maxConcurrentStreams: this.isServer ? (options.maxConcurrentStreams ?? 1_000) : 0,
      maxHeaderListSize: options.maxHeaderListSize ?? 64 * 1024,
    };
    const { streamWindow, connectionWindow, maxConcurrentStreams, maxHeaderListSize } = this.#limits;
    this.#block = new HeaderBlock(maxHeaderListSize);
    this.#receiveWindow = new ReceiveWindow(connectionWindow);
    this.#reader = new FrameReader(initialSettings.maxFrameSize, (type, flags, id, bytes, start, end) =>
      this.#onFrame(type, flags, id, bytes, start, end),
    );
    this.#writer = new FrameWriter(this.#encoder, (bytes) => {
      if (!socket.write(bytes)) this.#onFull();
    });
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onRead(chunk));
    socket.on("drain", () => this.#onRoom());
    socket.on("error", (error) => (this.#failure ??= error));
    socket.on("close", () => this.#onClose());

    if (this.isServer) this.#prefaceLeft = preface;
    else this.#writer.raw(preface);
    this.#writer.settings(
      encodeSettings({
        ...(this.isServer ? { maxConcurrentStreams } : { enablePush: false }),
        initialWindowSize: streamWindow,
        maxHeaderListSize,
      }),
    );
    const granted = initialSettings.initialWindowSize;
    if (connectionWindow > granted) this.#writer.windowUpdate(0, connectionWindow - granted);

    this.#handshake = setTimeout(
      () => this.destroy(new ConnectionError(ErrorCode.settingsTimeout, "the peer sent no settings")),
      options.handshakeTimeoutMs ?? 10_000,
    ).unref();
    this.#keepalive =
      options.keepalive &&
      new Keepalive(options.keepalive, {
        isWanted: () => this.isServer || this.#streams.size > 0,
        ask: () => this.#writer.ping(alivePing, false),
        giveUp: () => this.destroy(new ConnectionError(ErrorCode.noError, "the peer does not answer")),
      });
  }

  /** Streams that have not ended. */
  get size(): number {
    return this.#streams.size;
  }

  /** Whether `open` may be called now. */
  get hasRoom(): boolean {
    return this.isOpen && this.#hasSettings && this.#streams.size < this.#remote.maxConcurrentStreams;
  }

  /** Whether new streams can be opened, at once or after others have ended. */
  get isOpen(): boolean {
    return !this.#isClosing && !this.#peerIsGoing && !this.#isDraining && this.#nextId <= maxStreamId;
  }

  get peer(): string {
    const { remoteAddress = "", remoteFamily, remotePort } = this.#socket;
    return remoteFamily === "IPv6" ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  }

  /** A client's: begins a stream with its request. Only while `hasRoom`. */
  open(fields: readonly HeaderField[], isLast: boolean, handler: StreamHandler): Http2Stream {
    if (!this.hasRoom) throw new Error("the connection has no room for another stream");
    refuseMalformed(fields);
    const stream = this.#add(this.#nextId, handler);
    this.#nextId += 2;
    stream.sendHeaders(fields, isLast);
    if (this.#nextId > maxStreamId) {
      this.drain();
      this.#handler.onGoAway?.(ErrorCode.noError, "");
    }
    return stream;
  }

  /**
   * Takes no new streams, and closes when those that run have ended. A server says so twice (RFC 9113, 6.8): first that it
   * will, then, when the client must have read that, up to which stream it has gone.
   */
  drain(): void {
    if (this.#isDraining || this.#isClosing) return;
    this.#isDraining = true;
    if (!this.isServer) return this.#closeWhenIdle();
    this.#writer.goAway(maxStreamId, ErrorCode.noError, noDebug);
    this.#writer.ping(drainPing, false);
    this.#drainTimer = setTimeout(() => this.#refuseNew(), drainPingMs).unref();
  }

  /** Ends the connection and all its streams at once. */
  destroy(reason?: Error): void {
    this.#failure ??= reason;
    this.#isClosing = true;
    this.#socket.destroy();
  }

  // What streams ask for.

  sendable(): number {
    return this.#isCongested ? 0 : Math.min(this.#sendWindow.size, this.#remote.maxFrameSize);
  }

  writeHeaders(streamId: number, fields: readonly HeaderField[], isLast: boolean): void {
    refuseMalformed(fields);
    this.#writer.headers(streamId, fields, isLast, this.#remote.maxFrameSize);
  }

  writeData(
    id: number,
    prefix: Uint8Array | undefined,
    body: Uint8Array,
    from: number,
    to: number,
    isLast: boolean,
  ): void {
    this.#sendWindow.take((prefix?.length ?? 0) + to - from);
    this.#writer.data(id, prefix, body, from, to, isLast);
    this.#idleFrames.earn(2); // It may be answered by two WINDOW_UPDATEs, and some peers ping to measure the way.
  }

  writeReset(streamId: number, code: number): void {
    this.#writer.rstStream(streamId, code);
  }

  grant(streamId: number, octets: number): void {
    this.#writer.windowUpdate(streamId, octets);
  }

  queue(stream: Stream): void {
    this.#waiting.add(stream);
    this.#pump();
  }

  consumed(octets: number): void {
    if (this.#isClosing) return;
    const grant = this.#receiveWindow.consume(octets);
    if (grant > 0) this.#writer.windowUpdate(0, grant);
  }

  closed(stream: Stream, wasResetByUs: boolean): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    this.#closedStreams.add(stream.id, wasResetByUs);
    if (stream.isLocalEnded && stream.isRemoteEnded) this.#resets.earn();
    this.#handler.onStreamClosed?.();
    if (this.#isDraining || this.#peerIsGoing) this.#closeWhenIdle();
  }

  // Reading.

  #onRead(chunk: Buffer): void {
    if (this.#isClosing) return; // What comes after our GOAWAY is read and dropped.
    this.#keepalive?.heard();
    try {
      const rest = this.#prefaceLeft === undefined ? chunk : this.#readPreface(chunk);
      if (rest !== undefined) this.#reader.push(rest);
    } catch (error) {
      this.#fail(error);
    }
  }

  #readPreface(chunk: Buffer): Buffer | undefined {
    const expected = this.#prefaceLeft ?? noDebug;
    const length = Math.min(chunk.length, expected.length);
    if (chunk.compare(expected, 0, length, 0, length) !== 0) {
      throw new ConnectionError(ErrorCode.protocolError, "the client does not speak HTTP/2 (with prior knowledge)");
    }
    this.#prefaceLeft = length === expected.length ? undefined : expected.subarray(length);
    return this.#prefaceLeft === undefined ? chunk.subarray(length) : undefined;
  }

  #onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#isClosing) return;
    if (!this.#hasSettings && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
      throw new ConnectionError(ErrorCode.protocolError, "the first frame is not SETTINGS");
    }
    if (this.#block.isOpen && (type !== FrameType.continuation || id !== this.#block.streamId)) {
      throw new ConnectionError(ErrorCode.protocolError, "a header block is interrupted by another frame");
    }
    switch (type) {
      case FrameType.data:
        return this.#onData(flags, id, bytes, start, end);
      case FrameType.headers:
        return this.#onHeaders(flags, id, bytes, start, end);
      case FrameType.priority:
        return this.#onPriority(id, bytes, start, end);
      case FrameType.rstStream:
        return this.#onRstStream(id, bytes, start, end);
      case FrameType.settings:
        return this.#onSettings(flags, id, bytes, start, end);
      case FrameType.pushPromise:
        throw new ConnectionError(ErrorCode.protocolError, "PUSH_PROMISE, which is not allowed here");
      case FrameType.ping:
        return this.#onPing(flags, id, bytes, start, end);
      case FrameType.goAway:
        return this.#onGoAway(id, bytes, start, end);
      case FrameType.windowUpdate:
        return this.#onWindowUpdate(id, bytes, start, end);
      case FrameType.continuation:
        return this.#onContinuation(flags, id, bytes, start, end);
      default:
        this.#spend(); // Unknown types are ignored (RFC 9113, 5.5).
    }
  }

  #onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const stream = this.#streams.get(id) ?? this.#missing(id, "DATA");
    // Padding counts, and so does what nobody wants: the peer has taken it from its windows.
    if (!this.#receiveWindow.receive(length)) {
      throw new ConnectionError(ErrorCode.flowControlError, "more DATA than the connection's window");
    }
    const padded = (flags & Flag.padded) !== 0;
    const padding = padded ? paddingOf(bytes, start, end) : 0;
    const isLast = (flags & Flag.endStream) !== 0;
    if (stream === undefined) {
      // What was on its way when the stream was reset is bounded by its window, and is no flood however small its frames.
      if (length === 0) this.#spend();
      return this.consumed(length);
    }
    if (stream.isRemoteEnded) {
      this.consumed(length);
      return this.#failStream(stream, ErrorCode.streamClosed, "DATA after the end of the stream");
    }
    if (!stream.receive(length)) {
      return this.#failStream(stream, ErrorCode.flowControlError, "more DATA than the stream's window");
    }
    if (!this.isServer && !stream.hasHeaders) {
      return this.#failStream(stream, ErrorCode.protocolError, "DATA before the response's headers");
    }
    if (padded) stream.consume(padding + 1);
    const from = padded ? start + 1 : start;
    const to = end - padding;
    if (to > from) this.#idleFrames.earn();
    else if (!isLast) this.#spend();
    if (!this.#countContent(stream, to - from, isLast)) return;
    if (isLast) stream.endRemote();
    stream.handler.onData(bytes.subarray(from, to), isLast);
  }

  #onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.protocolError, "HEADERS on stream 0");
    let from = start;
    let to = end;
    if ((flags & Flag.padded) !== 0) {
      to = end - paddingOf(bytes, start, end);
      from++;
    }
    let dependsOnItself = false;
    if ((flags & Flag.priority) !== 0) {
      if (to - from < 5) throw new ConnectionError(ErrorCode.frameSizeError, "HEADERS too short for its priority");
      dependsOnItself = dependencyAt(bytes, from) === id;
      from += 5;
    }
    if (dependsOnItself) throw new ConnectionError(ErrorCode.protocolError, "a stream that depends on itself");
    const isLast = (flags & Flag.endStream) !== 0;
    if ((flags & Flag.endHeaders) !== 0) return this.#onBlock(id, isLast, bytes, from, to);
    this.#block.begin(id, isLast);
    this.#block.add(bytes.subarray(from, to));
  }

  #onContinuation(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#block.isOpen) throw new ConnectionError(ErrorCode.protocolError, "CONTINUATION of nothing");
    this.#block.add(bytes.subarray(start, end));
    if ((flags & Flag.endHeaders) === 0) return;
    const whole = this.#block.take();
    this.#onBlock(id, this.#block.endsStream, whole, 0, whole.length);
  }

  /** Every block is decoded, or the tables of the two sides would differ from then on. */
  #onBlock(id: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    const fields = this.#decoder.decode(bytes, start, end, this.#limits.maxHeaderListSize);
    this.#idleFrames.earn();
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#onMoreHeaders(stream, fields, isLast);
    if (this.isServer && (id & 1) === 1 && id > this.#lastPeerId) return this.#onRequest(id, fields, isLast);
    this.#missing(id, "HEADERS");
    this.#spend();
  }

  #onRequest(id: number, fields: readonly HeaderField[] | undefined, isLast: boolean): void {
    this.#lastPeerId = id;
    if (id > this.#acceptUpTo) return; // The client knows from GOAWAY that nothing will be done with it.
    if (this.#streams.size >= this.#limits.maxConcurrentStreams) {
      return this.#refuse(id, ErrorCode.refusedStream);
    }
    if (fields === undefined) return this.#refuse(id, ErrorCode.enhanceYourCalm);
    if (!isRequest(fields)) return this.#refuse(id, ErrorCode.protocolError);
    const length = contentLength(fields);
    if (Number.isNaN(length) || (isLast && (length ?? 0) > 0)) return this.#refuse(id, ErrorCode.protocolError);
    const stream = this.#add(id, unheard);
    stream.hasHeaders = true;
    stream.contentLeft = length;
    if (isLast) stream.endRemote();
    stream.handler = this.#handler.onStream?.(stream, fields, isLast) ?? unheard;
  }

  #onMoreHeaders(stream: Stream, fields: readonly HeaderField[] | undefined, isLast: boolean): void {
    if (stream.isRemoteEnded) {
      throw new ConnectionError(ErrorCode.streamClosed, "HEADERS after the end of the stream");
    }
    if (fields === undefined)
      return this.#failStream(stream, ErrorCode.enhanceYourCalm, "the header list is too large");
    if (stream.hasHeaders) {
      if (!isLast || !areTrailers(fields)) {
        return this.#failStream(stream, ErrorCode.protocolError, "trailers that break the rules");
      }
      if (!this.#countContent(stream, 0, true)) return;
      stream.endRemote();
      return stream.handler.onTrailers(fields);
    }
    if (!isResponse(fields)) return this.#failStream(stream, ErrorCode.protocolError, "a malformed response");
    const isInformational = fields.some(({ name, value }) => name === ":status" && value.startsWith("1"));
    if (isInformational) {
      this.#spend();
      if (isLast) this.#failStream(stream, ErrorCode.protocolError, "an informational response that is the last");
      return;
    }
    stream.hasHeaders = true;
    if (isLast) stream.endRemote();
    stream.handler.onHeaders(fields, isLast);
  }

  #onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.protocolError, "PRIORITY on stream 0");
    const stream = this.#streams.get(id);
    if (end - start !== 5) {
      if (stream !== undefined) return this.#failStream(stream, ErrorCode.frameSizeError, "PRIORITY is not 5 octets");
      throw new ConnectionError(ErrorCode.frameSizeError, "PRIORITY is not 5 octets");
    }
    this.#spend();
    // Priorities are deprecated and ignored (RFC 9113, 5.3.2); a cycle of one stream is refused all the same.
    if (dependencyAt(bytes, start) !== id) return;
    if (stream !== undefined) return this.#failStream(stream, ErrorCode.protocolError, "it depends on itself");
    throw new ConnectionError(ErrorCode.protocolError, "a stream that depends on itself");
  }

  #onRstStream(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.frameSizeError, "RST_STREAM is not 4 octets");
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) throw new ConnectionError(ErrorCode.protocolError, "RST_STREAM of an idle stream");
      return this.#spend();
    }
    this.#spendReset();
    const code = bytes.readUInt32BE(start);
    const isUnprocessed = code === ErrorCode.refusedStream;
    stream.fail(new StreamError(code, `the peer ended the stream: ${errorName(code)}`, "remote", isUnprocessed));
  }

  #onSettings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.protocolError, "SETTINGS on a stream");
    const isAck = (flags & Flag.ack) !== 0;
    if ((end - start) % 6 !== 0 || (isAck && end > start)) {
      throw new ConnectionError(ErrorCode.frameSizeError, "SETTINGS of a length that cannot be");
    }
    this.#spend();
    if (isAck) return;
    const before = this.#remote;
    this.#remote = applySettings(before, bytes, start, end);
    this.#encoder.resize(this.#remote.headerTableSize);
    this.#writer.settingsAck();
    this.#hasSettings = true;
    clearTimeout(this.#handshake);
    const change = this.#remote.initialWindowSize - before.initialWindowSize;
    if (change !== 0) {
      for (const stream of this.#streams.values()) {
        if (!stream.sendWindow.grant(change)) {
          throw new ConnectionError(ErrorCode.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window");
        }
        if (stream.mayPump) this.#waiting.add(stream);
      }
      this.#pump();
    }
    this.#handler.onSettings?.();
  }

  #onPing(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.protocolError, "PING on a stream");
    if (end - start !== 8) throw new ConnectionError(ErrorCode.frameSizeError, "PING is not 8 octets");
    this.#spend();
    const opaque = bytes.subarray(start, end);
    if ((flags & Flag.ack) === 0) this.#writer.ping(opaque, true);
    else if (this.#isDraining && opaque.equals(drainPing)) this.#refuseNew();
  }

  #onGoAway(id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.protocolError, "GOAWAY on a stream");
    if (end - start < 8) throw new ConnectionError(ErrorCode.frameSizeError, "GOAWAY is shorter than 8 octets");
    const last = bytes.readUInt32BE(start) & 0x7fff_ffff;
    const code = bytes.readUInt32BE(start + 4);
    this.#spend();
    this.#peerIsGoing = true;
    if (!this.isServer) {
      for (const stream of this.#streams.values()) {
        if (stream.id <= last) continue;
        stream.fail(new StreamError(code, `the server is going away: ${errorName(code)}`, "connection", true));
      }
    }
    this.#handler.onGoAway?.(code, bytes.toString("latin1", start + 8, Math.min(end, start + 8 + maxDebug)));
    this.#closeWhenIdle();
  }

  #onWindowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.frameSizeError, "WINDOW_UPDATE is not 4 octets");
    const increment = bytes.readUInt32BE(start) & 0x7fff_ffff;
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.protocolError, "WINDOW_UPDATE of 0");
      if (!this.#sendWindow.grant(increment)) {
        throw new ConnectionError(ErrorCode.flowControlError, "WINDOW_UPDATE overflows the connection's window");
      }
      this.#spend();
      return this.#pump();
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) throw new ConnectionError(ErrorCode.protocolError, "WINDOW_UPDATE of an idle stream");
      return this.#spend();
    }
    if (increment === 0) return this.#failStream(stream, ErrorCode.protocolError, "WINDOW_UPDATE of 0");
    if (!stream.sendWindow.grant(increment)) {
      return this.#failStream(stream, ErrorCode.flowControlError, "WINDOW_UPDATE overflows the stream's window");
    }
    this.#spend();
    if (stream.mayPump) this.queue(stream);
  }

  // Streams.

  #add(id: number, handler: StreamHandler): Stream {
    const windows = { send: this.#remote.initialWindowSize, receive: this.#limits.streamWindow };
    const stream = new Stream(this, id, handler, windows);
    this.#streams.set(id, stream);
    return stream;
  }

  /** Each stream in turn sends one frame, until there is nothing to send, no window or no room. */
  #pump(): void {
    for (const stream of this.#waiting) {
      if (this.sendable() <= 0) return;
      this.#waiting.delete(stream);
      stream.pump();
      if (stream.mayPump) this.#waiting.add(stream); // A Set is gone through in order, what is added meanwhile included.
    }
  }

  /** DATA or HEADERS for a stream that is not open. Returns when it is only late, throws when it is wrong. */
  #missing(id: number, what: string): undefined {
    if (this.#isIdle(id)) throw new ConnectionError(ErrorCode.protocolError, `${what} on the idle stream ${id}`);
    if (id > this.#acceptUpTo) return;
    const how = this.#closedStreams.find(id);
    if (how === "reset by us") return;
    // A stream that was skipped counts as closed, and to begin it then is another error (RFC 9113, 5.1.1).
    const code = how === "unknown" && what === "HEADERS" ? ErrorCode.protocolError : ErrorCode.streamClosed;
    throw new ConnectionError(code, `${what} on the closed stream ${id}`);
  }

  #isIdle(id: number): boolean {
    const isPeers = ((id & 1) === 1) === this.isServer;
    return id === 0 || id > (isPeers ? this.#lastPeerId : this.isServer ? 0 : this.#nextId - 2);
  }

  #countContent(stream: Stream, octets: number, isLast: boolean): boolean {
    if (stream.contentLeft === undefined) return true;
    stream.contentLeft -= octets;
    if (stream.contentLeft >= 0 && !(isLast && stream.contentLeft > 0)) return true;
    this.#failStream(stream, ErrorCode.protocolError, "content-length says another length");
    return false;
  }

  /** The peer's error on one stream. */
  #failStream(stream: Stream, code: number, message: string): void {
    this.#spendReset();
    this.#writer.rstStream(stream.id, code);
    stream.fail(new StreamError(code, message, "local"));
  }

  #refuse(id: number, code: number): void {
    this.#spendReset();
    this.#closedStreams.add(id, true);
    this.#writer.rstStream(id, code);
  }

  #spend(): undefined {
    if (this.#idleFrames.spend()) return;
    throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many frames that carry nothing");
  }

  #spendReset(): void {
    if (this.#resets.spend()) return;
    throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many streams that are reset");
  }

  // The socket, and the end.

  #onFull(): void {
    this.#isCongested = true;
    if (this.#socket.writableLength <= maxUnread) return;
    this.destroy(new ConnectionError(ErrorCode.enhanceYourCalm, "the peer does not read what it asks for"));
  }

  #onRoom(): void {
    this.#isCongested = false;
    this.#pump();
  }

  #refuseNew(): void {
    if (this.#acceptUpTo !== maxStreamId || this.#isClosing) return;
    clearTimeout(this.#drainTimer);
    this.#acceptUpTo = this.#lastPeerId;
    this.#writer.goAway(this.#lastPeerId, ErrorCode.noError, noDebug);
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#streams.size > 0 || this.#isClosing) return;
    // A server that drains still takes what comes until its client has read the first GOAWAY.
    if (this.isServer && this.#isDraining && this.#acceptUpTo === maxStreamId) return;
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
    this.#writer.goAway(Math.min(this.#lastPeerId, this.#acceptUpTo), known.code, Buffer.from(known.message));
    this.#hangUp();
  }

  /** Says the last words, and waits a little for the peer to read them. */
  #hangUp(): void {
    this.#isClosing = true;
    this.#writer.flush();
    this.#socket.end();
    this.#linger = setTimeout(() => this.#socket.destroy(), lingerMs).unref();
    this.#endStreams();
  }

  #onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isClosing = true;
    clearTimeout(this.#handshake);
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#linger); // It would keep the connection, with its buffers, for its second.
    this.#keepalive?.[Symbol.dispose]();
    this.#endStreams();
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

/** Until a server's handler is there, and where it has none. */
const unheard: StreamHandler = {
  onHeaders: () => {},
  onData: () => {},
  onTrailers: () => {},
  onReset: () => {},
  onDrain: () => {},
};

function refuseMalformed(fields: readonly HeaderField[]): void {
  for (const { kind, name } of fields) {
    if (kind === FieldKind.malformed)
      throw new TypeError(`HTTP/2 cannot carry the header field ${JSON.stringify(name)}`);
  }
}

function paddingOf(bytes: Buffer, start: number, end: number): number {
  if (end === start) throw new ConnectionError(ErrorCode.frameSizeError, "a padded frame without the padding's length");
  const padding = bytes[start]!;
  if (padding >= end - start) throw new ConnectionError(ErrorCode.protocolError, "more padding than payload");
  return padding;
}

function dependencyAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & 0x7fff_ffff;
}
