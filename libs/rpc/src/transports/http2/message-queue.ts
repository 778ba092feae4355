import { inflate } from "./gzip.ts";
import { compact, MessageReader } from "./messages.ts";

interface Queued {
  readonly message: Uint8Array;
  readonly isCompressed: boolean;
  /** Octets to return to the peer's window. */
  readonly held: number;
  /** Octets that were returned before the message was complete, and still count as held. */
  readonly kept: number;
}

/** The flow control of a stream, as `Http2Stream` has it. */
export interface Flow {
  consume(octets: number, isKept: boolean): void;
  release(octets: number): void;
}

/**
 * The messages of one direction of a stream, read one at a time. It holds at most the stream's
 * window and one message. Octets return to the window when their message is read. Those of an
 * incomplete message return when nothing else is unread, or a message larger than the window could
 * never complete.
 *
 * A compressed message is inflated for the reader that waits for it, so the others stay as small as
 * they were sent.
 */
export class MessageQueue {
  readonly #reader: MessageReader;
  readonly #flow: Flow;
  readonly #maxMessageBytes: number;
  readonly #share: string;
  readonly #queue: Queued[] = [];
  #head = 0;
  /** Octets of the incomplete message. */
  #incomplete = 0;
  /** Those of them that were returned to the window. */
  #kept = 0;
  #end: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  /** `share` is the client, for a server: clients take turns when messages are inflated. */
  constructor(maxMessageBytes: number, flow: Flow, share = "") {
    this.#flow = flow;
    this.#maxMessageBytes = maxMessageBytes;
    this.#share = share;
    this.#reader = new MessageReader(maxMessageBytes, (message, held, isCompressed) =>
      this.#add(message, held, isCompressed),
    );
  }

  /** Accepts compressed messages. */
  expectGzip(): void {
    this.#reader.hasEncoding = true;
  }

  /** Returns true if the data so far ends between two messages. */
  get isAtEnd(): boolean {
    return this.#reader.isAtEnd;
  }

  /** Adds data. Throws as `MessageReader.push` does. */
  push(data: Buffer): void {
    this.#incomplete += this.#reader.push(data);
    if (this.#queue.length === 0) this.#release();
  }

  /** Ends the queue. Unread messages come first; then readers get `undefined`, or the error. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (this.#waiting === undefined) return;
    if (error === undefined) this.#waiting.resolve(undefined);
    else this.#waiting.reject(error);
    this.#waiting = undefined;
  }

  /** Drops unread messages. */
  clear(): void {
    this.#queue.length = this.#head = 0;
  }

  /**
   * Resolves with the next message, or with undefined after the last. Rejects as `inflate` does.
   * One reader at a time.
   */
  next(): Promise<Uint8Array | undefined> {
    const queued = this.#queue[this.#head];
    if (queued !== undefined) {
      this.#head++;
      this.#flow.consume(queued.held, false);
      if (queued.kept > 0) this.#flow.release(queued.kept);
      if (this.#head === this.#queue.length) {
        this.#queue.length = this.#head = 0;
        this.#release();
      }
      return queued.isCompressed ? this.#inflate(queued.message) : Promise.resolve(queued.message);
    }
    if (this.#end !== undefined) {
      return this.#end.error === undefined ? Promise.resolve(undefined) : Promise.reject(this.#end.error);
    }
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  #release(): void {
    if (this.#incomplete === 0) return;
    this.#flow.consume(this.#incomplete, true);
    this.#kept += this.#incomplete;
    this.#incomplete = 0;
  }

  #inflate(message: Uint8Array): Promise<Uint8Array> {
    return inflate(message, this.#maxMessageBytes, this.#share);
  }

  #add(message: Uint8Array, octets: number, isCompressed: boolean): void {
    const held = octets + this.#incomplete;
    const kept = this.#kept;
    this.#incomplete = this.#kept = 0;
    if (this.#waiting === undefined) {
      this.#queue.push({ message: compact(message), isCompressed, held, kept });
      return;
    }
    this.#flow.consume(held, false);
    if (kept > 0) this.#flow.release(kept);
    this.#waiting.resolve(isCompressed ? this.#inflate(message) : message);
    this.#waiting = undefined;
  }
}
