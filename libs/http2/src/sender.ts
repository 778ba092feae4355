import type { Socket } from "node:net";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import type { Floods } from "./floods.ts";
import { SendWindow } from "./flow-control.ts";
import { FrameWriter } from "./frames/writer.ts";
import { Encoder } from "./hpack/encoder.ts";
import { FieldKind, type HeaderField } from "./hpack/field.ts";
import { initialSettings, type Settings } from "./settings.ts";
import type { Stream, StreamSender } from "./stream.ts";

/**
 * The sending side of a connection. Headers are sent at once. Data is sent as the connection's
 * window and the socket allow, in turns if several streams wait. Control frames go straight to
 * `writer`.
 */
export class Sender implements StreamSender {
  readonly writer: FrameWriter;
  /** The limits that the peer sets. */
  peer: Settings = initialSettings;
  readonly #encoder = new Encoder();
  readonly #floods: Floods;
  readonly #window = new SendWindow(initialSettings.initialWindowSize);
  /** Streams whose data waits, in the order of their turns. */
  readonly #waiting = new Set<Stream>();
  #isCongested = false;

  /**
   * Calls `onFull` when the socket's buffer is full; `room` is called when it has capacity again.
   */
  constructor(socket: Socket, floods: Floods, onFull: () => void) {
    this.#floods = floods;
    this.writer = new FrameWriter(this.#encoder, (bytes) => {
      if (socket.write(bytes)) return;
      this.#isCongested = true;
      onFull();
    });
  }

  sendable(): number {
    return this.#isCongested ? 0 : Math.min(this.#window.size, this.peer.maxFrameSize);
  }

  headers(id: number, fields: readonly HeaderField[], isLast: boolean): void {
    refuseMalformed(fields);
    this.writer.headers(id, fields, isLast, this.peer.maxFrameSize);
  }

  data(id: number, prefix: Uint8Array | undefined, body: Uint8Array, from: number, to: number, isLast: boolean): void {
    this.#window.take((prefix?.length ?? 0) + to - from);
    this.writer.data(id, prefix, body, from, to, isLast);
    this.#floods.workSent();
  }

  reset(id: number, code: number): void {
    this.writer.rstStream(id, code);
  }

  grant(id: number, octets: number): void {
    this.writer.windowUpdate(id, octets);
  }

  queue(stream: Stream): void {
    this.#waiting.add(stream);
    this.#pump();
  }

  /** Removes a closed stream from the queue. */
  forget(stream: Stream): void {
    this.#waiting.delete(stream);
  }

  /** Adds octets that the peer grants to all streams together. */
  granted(octets: number): void {
    if (!this.#window.grant(octets)) {
      throw new ConnectionError(ErrorCode.flowControlError, "WINDOW_UPDATE overflows the connection's window");
    }
    this.#pump();
  }

  /** Continues when the socket has capacity. */
  room(): void {
    this.#isCongested = false;
    this.#pump();
  }

  /** Applies the peer's settings, also to open streams. */
  use(settings: Settings, streams: Iterable<Stream>): void {
    const change = settings.initialWindowSize - this.peer.initialWindowSize;
    this.peer = settings;
    this.#encoder.resize(settings.headerTableSize);
    this.writer.settingsAck();
    if (change === 0) return;
    for (const stream of streams) {
      if (!stream.sendWindow.grant(change)) {
        throw new ConnectionError(ErrorCode.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window");
      }
      if (stream.mayPump) this.#waiting.add(stream);
    }
    this.#pump();
  }

  /** Sends one frame of each stream in turn, until there is no data, no window or no capacity. */
  #pump(): void {
    for (const stream of this.#waiting) {
      if (this.sendable() <= 0) return;
      this.#waiting.delete(stream);
      stream.pump();
      if (stream.mayPump) this.#waiting.add(stream); // A Set is iterated in order, with entries added meanwhile.
    }
  }
}

/** Throws a `TypeError` for a field that HTTP/2 cannot carry. */
export function refuseMalformed(fields: readonly HeaderField[]): void {
  for (const { kind, name } of fields) {
    if (kind === FieldKind.malformed)
      throw new TypeError(`HTTP/2 cannot carry the header field ${JSON.stringify(name)}`);
  }
}
