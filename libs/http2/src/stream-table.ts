import { ClosedStreams } from "./closed-streams.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { maxStreamId } from "./frames/types.ts";
import type { Stream } from "./stream.ts";

/** The place of an open stream, empty once it is closed. */
interface Slot {
  stream: Stream | undefined;
}

/** The streams of a connection by number: the open ones, and the state of others. */
export class StreamTable {
  readonly #isServer: boolean;
  /**
   * A Map's outgrown tables are kept by the garbage collector for long, with all that was in them
   * (see `List` of concurrency). Emptied slots let the streams go, and the calls behind them.
   */
  readonly #open = new Map<number, Slot>();
  readonly #closed = new ClosedStreams();
  /** The highest number that the peer has begun. */
  lastPeerId = 0;
  /** Our next number; above `maxStreamId` when they are used up. */
  nextId: number;
  /** Streams of the peer above this get no response, as our GOAWAY stated. */
  acceptUpTo = maxStreamId;

  constructor(isServer: boolean, firstId: number) {
    this.#isServer = isServer;
    this.nextId = firstId;
  }

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id)?.stream;
  }

  *values(): IterableIterator<Stream> {
    for (const { stream } of this.#open.values()) if (stream !== undefined) yield stream;
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, { stream });
  }

  closed(id: number, wasResetByUs: boolean): void {
    const slot = this.#open.get(id);
    if (slot !== undefined) {
      slot.stream = undefined;
      this.#open.delete(id);
    }
    this.#closed.add(id, wasResetByUs);
  }

  /** Returns true if the stream was never begun. */
  isIdle(id: number): boolean {
    const isPeers = ((id & 1) === 1) === this.#isServer;
    return id === 0 || id > (isPeers ? this.lastPeerId : this.#isServer ? 0 : this.nextId - 2);
  }

  /**
   * Checks a DATA or HEADERS frame of a stream that is not open. Returns if it is late, throws if
   * it is an error.
   */
  checkLate(id: number, what: "DATA" | "HEADERS"): void {
    if (this.isIdle(id)) throw new ConnectionError(ErrorCode.protocolError, `${what} on the idle stream ${id}`);
    if (id > this.acceptUpTo) return;
    const how = this.#closed.find(id);
    if (how === "reset by us") return;
    const isForgotten = how === "unknown";
    // The stream closed longer ago than is remembered. A client opened any stream of its own, so
    // the frame is only late.
    if (isForgotten && (what === "DATA" || !this.#isServer)) return;
    // A skipped stream counts as closed, and beginning it then is another error (RFC 9113, 5.1.1).
    const code = isForgotten ? ErrorCode.protocolError : ErrorCode.streamClosed;
    throw new ConnectionError(code, `${what} on the closed stream ${id}`);
  }
}
