import { ConnectionError, ErrorCode, errorName, StreamError } from "./error-code.ts";
import type { Floods } from "./floods.ts";
import { ReceiveWindow } from "./flow-control.ts";
import { FrameReader } from "./frames/reader.ts";
import { Flag, FrameType } from "./frames/types.ts";
import { HeaderReader } from "./header-reader.ts";
import { areTrailers, contentLength, isRequest, isResponse } from "./header-rules.ts";
import type { HeaderField } from "./hpack/field.ts";
import { dependencyAt, paddingOf } from "./payload.ts";
import type { Sender } from "./sender.ts";
import { applySettings, initialSettings } from "./settings.ts";
import { type Stream, type StreamHandler } from "./stream.ts";
import type { StreamTable } from "./stream-table.ts";

export interface ReceiverOptions {
  readonly isServer: boolean;
  readonly streams: StreamTable;
  readonly sender: Sender;
  readonly floods: Floods;
  readonly connectionWindow: number;
  readonly maxConcurrentStreams: number;
  readonly maxHeaderListSize: number;
}

/** The octets that count for a stream beside its header list: its objects and those of its call. */
const streamOctets = 1_024;

/** The octets of a peer's debug data that are handed on. */
const maxDebug = 256;

/** The effects of frames on the connection as a whole. */
export interface ReceiverEvents {
  /** Creates the stream of a valid request. */
  begin(id: number): Stream;
  onStream(stream: Stream, fields: readonly HeaderField[], isLast: boolean): StreamHandler;
  /** Called when the peer's settings apply. */
  onSettings(): void;
  /** Called with the answer to one of our pings. */
  onPong(opaque: Buffer): void;
  onGoAway(lastId: number, code: number, debug: string): void;
}

/**
 * The receiving side of a connection. It enforces RFC 9113 frame by frame. `push` throws a
 * `ConnectionError` for errors that end the connection; errors of one stream reset that.
 */
export class Receiver {
  readonly #isServer: boolean;
  readonly #streams: StreamTable;
  readonly #sender: Sender;
  readonly #floods: Floods;
  readonly #maxConcurrentStreams: number;
  readonly #events: ReceiverEvents;
  readonly #frames: FrameReader;
  readonly #headers: HeaderReader;
  readonly #window: ReceiveWindow;
  /** True once the peer's first frame was received. */
  hasSettings = false;
  /** True while the connection ends: frames are dropped. */
  isEnded = false;

  constructor(options: ReceiverOptions, events: ReceiverEvents) {
    this.#isServer = options.isServer;
    this.#streams = options.streams;
    this.#sender = options.sender;
    this.#floods = options.floods;
    this.#maxConcurrentStreams = options.maxConcurrentStreams;
    this.#events = events;
    this.#window = new ReceiveWindow(options.connectionWindow);
    this.#headers = new HeaderReader(options.maxHeaderListSize, (id, fields, isLast, size) =>
      this.#onFields(id, fields, isLast, size),
    );
    this.#frames = new FrameReader(initialSettings.maxFrameSize, (type, flags, id, bytes, start, end) =>
      this.#onFrame(type, flags, id, bytes, start, end),
    );
  }

  push(chunk: Buffer): void {
    this.#frames.push(chunk);
  }

  /** Returns consumed octets of DATA to the peer's window. */
  consumed(octets: number): void {
    if (this.isEnded) return;
    const grant = this.#window.consume(octets);
    if (grant > 0) this.#sender.grant(0, grant);
  }

  #onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.isEnded) return;
    if (!this.hasSettings && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
      throw new ConnectionError(ErrorCode.protocolError, "the first frame is not SETTINGS");
    }
    this.#headers.mayCome(type, id);
    switch (type) {
      case FrameType.data:
        return this.#onData(flags, id, bytes, start, end);
      case FrameType.headers:
        return this.#headers.headers(flags, id, bytes, start, end);
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
        return this.#headers.continuation(flags, bytes, start, end);
      default:
        this.#floods.idleFrame(); // Unknown types are ignored (RFC 9113, 5.5).
    }
  }

  // Frames of streams.

  #onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#streams.checkLate(id, "DATA");
    // Padding and unwanted octets count, since the peer has taken them from its windows.
    if (!this.#window.receive(length)) {
      throw new ConnectionError(ErrorCode.flowControlError, "more DATA than the connection's window");
    }
    const padded = (flags & Flag.padded) !== 0;
    const padding = padded ? paddingOf(bytes, start, end) : 0;
    const isLast = (flags & Flag.endStream) !== 0;
    if (stream === undefined) {
      // Frames in flight when the stream was reset are bounded by its window. They are no flood,
      // however small.
      if (length === 0) this.#floods.idleFrame();
      return this.consumed(length);
    }
    if (stream.isRemoteEnded) {
      this.consumed(length);
      return this.#fail(stream, ErrorCode.streamClosed, "DATA after the end of the stream");
    }
    if (!stream.receive(length)) {
      return this.#fail(stream, ErrorCode.flowControlError, "more DATA than the stream's window");
    }
    if (!stream.hold(length)) {
      return this.#fail(stream, ErrorCode.enhanceYourCalm, "there is no memory for more of this request");
    }
    if (!this.#isServer && !stream.hasHeaders) {
      return this.#fail(stream, ErrorCode.protocolError, "DATA before the response's headers");
    }
    if (padded) stream.consume(padding + 1);
    const from = padded ? start + 1 : start;
    const to = end - padding;
    if (to > from) this.#floods.workCame();
    else if (!isLast) this.#floods.idleFrame();
    if (!this.#countContent(stream, to - from, isLast)) return;
    if (isLast) stream.endRemote();
    stream.handler.onData(bytes.subarray(from, to), isLast);
  }

  #onFields(id: number, fields: readonly HeaderField[] | undefined, isLast: boolean, size: number): void {
    this.#floods.workCame();
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#onMoreFields(stream, fields, isLast);
    if (this.#isServer && (id & 1) === 1 && id > this.#streams.lastPeerId) {
      return this.#onRequest(id, fields, isLast, size);
    }
    this.#streams.checkLate(id, "HEADERS");
    this.#floods.idleFrame();
  }

  #onRequest(id: number, fields: readonly HeaderField[] | undefined, isLast: boolean, size: number): void {
    this.#streams.lastPeerId = id;
    if (id > this.#streams.acceptUpTo) return; // The client knows from GOAWAY that it is not processed.
    if (this.#streams.size >= this.#maxConcurrentStreams) return this.#refuse(id, ErrorCode.refusedStream);
    if (fields === undefined) return this.#refuse(id, ErrorCode.enhanceYourCalm);
    if (!isRequest(fields)) return this.#refuse(id, ErrorCode.protocolError);
    const length = contentLength(fields);
    if (Number.isNaN(length) || (isLast && (length ?? 0) > 0)) return this.#refuse(id, ErrorCode.protocolError);
    const stream = this.#events.begin(id);
    if (!stream.hold(streamOctets + size)) {
      return this.#fail(stream, ErrorCode.refusedStream, "there is no memory for another stream");
    }
    stream.hasHeaders = true;
    stream.contentLeft = length;
    if (isLast) stream.endRemote();
    stream.handler = this.#events.onStream(stream, fields, isLast);
  }

  #onMoreFields(stream: Stream, fields: readonly HeaderField[] | undefined, isLast: boolean): void {
    if (stream.isRemoteEnded) {
      throw new ConnectionError(ErrorCode.streamClosed, "HEADERS after the end of the stream");
    }
    if (fields === undefined) return this.#fail(stream, ErrorCode.enhanceYourCalm, "the header list is too large");
    if (stream.hasHeaders) {
      if (!isLast || !areTrailers(fields)) {
        return this.#fail(stream, ErrorCode.protocolError, "malformed trailers");
      }
      if (!this.#countContent(stream, 0, true)) return;
      stream.endRemote();
      return stream.handler.onTrailers(fields);
    }
    if (!isResponse(fields)) return this.#fail(stream, ErrorCode.protocolError, "a malformed response");
    const isInformational = fields.some(({ name, value }) => name === ":status" && value.startsWith("1"));
    if (isInformational) {
      this.#floods.idleFrame();
      if (isLast) this.#fail(stream, ErrorCode.protocolError, "an informational response ends the stream");
      return;
    }
    stream.hasHeaders = true;
    if (isLast) stream.endRemote();
    stream.handler.onHeaders(fields, isLast);
  }

  /**
   * Priorities are deprecated and ignored (RFC 9113, 5.3.2), but a stream that depends on itself is
   * an error.
   */
  #onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.protocolError, "PRIORITY on stream 0");
    const stream = this.#streams.get(id);
    if (end - start !== 5) {
      if (stream !== undefined) return this.#fail(stream, ErrorCode.frameSizeError, "PRIORITY is not 5 octets");
      throw new ConnectionError(ErrorCode.frameSizeError, "PRIORITY is not 5 octets");
    }
    this.#floods.idleFrame();
    if (dependencyAt(bytes, start) !== id) return;
    if (stream !== undefined) return this.#fail(stream, ErrorCode.protocolError, "it depends on itself");
    throw new ConnectionError(ErrorCode.protocolError, "a stream that depends on itself");
  }

  #onRstStream(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.frameSizeError, "RST_STREAM is not 4 octets");
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#streams.isIdle(id)) {
        throw new ConnectionError(ErrorCode.protocolError, "RST_STREAM of an idle stream");
      }
      return this.#floods.idleFrame();
    }
    this.#floods.streamReset();
    const code = bytes.readUInt32BE(start);
    const isUnprocessed = code === ErrorCode.refusedStream;
    stream.fail(new StreamError(code, `the peer ended the stream: ${errorName(code)}`, "remote", isUnprocessed));
  }

  #onWindowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.frameSizeError, "WINDOW_UPDATE is not 4 octets");
    const increment = bytes.readUInt32BE(start) & 0x7fff_ffff;
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.protocolError, "WINDOW_UPDATE of 0");
      this.#floods.idleFrame();
      return this.#sender.granted(increment);
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#streams.isIdle(id)) {
        throw new ConnectionError(ErrorCode.protocolError, "WINDOW_UPDATE of an idle stream");
      }
      return this.#floods.idleFrame();
    }
    if (increment === 0) return this.#fail(stream, ErrorCode.protocolError, "WINDOW_UPDATE of 0");
    if (!stream.sendWindow.grant(increment)) {
      return this.#fail(stream, ErrorCode.flowControlError, "WINDOW_UPDATE overflows the stream's window");
    }
    this.#floods.idleFrame();
    if (stream.mayPump) this.#sender.queue(stream);
  }

  // Frames of the connection.

  #onSettings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.protocolError, "SETTINGS on a stream");
    const isAck = (flags & Flag.ack) !== 0;
    if ((end - start) % 6 !== 0 || (isAck && end > start)) {
      throw new ConnectionError(ErrorCode.frameSizeError, "SETTINGS has an invalid length");
    }
    this.#floods.idleFrame();
    if (isAck) return;
    this.#sender.use(applySettings(this.#sender.peer, bytes, start, end), this.#streams.values());
    this.hasSettings = true;
    this.#events.onSettings();
  }

  #onPing(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.protocolError, "PING on a stream");
    if (end - start !== 8) throw new ConnectionError(ErrorCode.frameSizeError, "PING is not 8 octets");
    this.#floods.idleFrame();
    const opaque = bytes.subarray(start, end);
    if ((flags & Flag.ack) === 0) this.#sender.writer.ping(opaque, true);
    else this.#events.onPong(opaque);
  }

  #onGoAway(id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.protocolError, "GOAWAY on a stream");
    if (end - start < 8) throw new ConnectionError(ErrorCode.frameSizeError, "GOAWAY is shorter than 8 octets");
    this.#floods.idleFrame();
    const debug = bytes.toString("latin1", start + 8, Math.min(end, start + 8 + maxDebug));
    this.#events.onGoAway(bytes.readUInt32BE(start) & 0x7fff_ffff, bytes.readUInt32BE(start + 4), debug);
  }

  // Violations of the rules.

  #countContent(stream: Stream, octets: number, isLast: boolean): boolean {
    if (stream.contentLeft === undefined) return true;
    stream.contentLeft -= octets;
    if (stream.contentLeft >= 0 && !(isLast && stream.contentLeft > 0)) return true;
    this.#fail(stream, ErrorCode.protocolError, "content-length says another length");
    return false;
  }

  /** Resets a stream for the peer's error. */
  #fail(stream: Stream, code: number, message: string): void {
    // Those of a server are charged where it closes streams, together with all its other resets.
    if (!this.#isServer) this.#floods.streamReset();
    this.#sender.reset(stream.id, code);
    stream.fail(new StreamError(code, message, "local"));
  }

  #refuse(id: number, code: number): void {
    this.#floods.streamReset();
    this.#streams.closed(id, true);
    this.#sender.reset(id, code);
  }
}
