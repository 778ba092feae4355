import { ClosedStreams } from "./closed-streams.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { maxStreamId } from "./frames/types.ts";
import type { Stream } from "./stream.ts";

/** The streams of a connection by their numbers: those that are open, and what is known of the others. */
export class StreamTable {
  readonly #isServer: boolean;
  readonly #open = new Map<number, Stream>();
  readonly #closed = new ClosedStreams();
  /** The highest that the peer has begun. */
  lastPeerId = 0;
  /** The next of ours; above `maxStreamId` when they are used up. */
  nextId: number;
  /** Streams of the peer above this get no answer: we have said so in GOAWAY. */
  acceptUpTo = maxStreamId;

  constructor(isServer: boolean, firstId: number) {
    this.#isServer = isServer;
    this.nextId = firstId;
  }

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  values(): IterableIterator<Stream> {
    return this.#open.values();
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, stream);
  }

  closed(id: number, wasResetByUs: boolean): void {
    this.#open.delete(id);
    this.#closed.add(id, wasResetByUs);
  }

  /** Whether nobody has begun the stream yet. */
  isIdle(id: number): boolean {
    const isPeers = ((id & 1) === 1) === this.#isServer;
    return id === 0 || id > (isPeers ? this.lastPeerId : this.#isServer ? 0 : this.nextId - 2);
  }

  /** DATA or HEADERS for a stream that is not open: returns when it is only late, throws when it is wrong. */
  checkLate(id: number, what: "DATA" | "HEADERS"): void {
    if (this.isIdle(id)) throw new ConnectionError(ErrorCode.protocolError, `${what} on the idle stream ${id}`);
    if (id > this.acceptUpTo) return;
    const how = this.#closed.find(id);
    if (how === "reset by us") return;
    const isForgotten = how === "unknown";
    // Closed longer ago than is remembered. All that a client knows nothing of it has begun itself, so this is only late.
    if (isForgotten && (what === "DATA" || !this.#isServer)) return;
    // A stream that was skipped counts as closed, and to begin it then is another error (RFC 9113, 5.1.1).
    const code = isForgotten ? ErrorCode.protocolError : ErrorCode.streamClosed;
    throw new ConnectionError(code, `${what} on the closed stream ${id}`);
  }
}
