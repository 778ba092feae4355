import { MessageReader } from "./messages.ts";

interface Queued {
  readonly message: Uint8Array;
  readonly held: number;
}

/**
 * The messages of one direction of a stream, read one at a time. It holds at most the stream's
 * window and one message. Octets return to the window when their message is read. Those of an
 * incomplete message return when nothing else is unread, or a message larger than the window could
 * never complete.
 */
export class MessageQueue {
  readonly #reader: MessageReader;
  readonly #consume: (octets: number) => void;
  readonly #queue: Queued[] = [];
  #head = 0;
  /** Octets of the incomplete message. */
  #incomplete = 0;
  #end: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  /** `consume` returns octets to the peer's window. */
  constructor(maxMessageBytes: number, consume: (octets: number) => void) {
    this.#consume = consume;
    this.#reader = new MessageReader(maxMessageBytes, (message, held) => this.#add(message, held));
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

  /** Resolves with the next message, or with undefined after the last. One reader at a time. */
  next(): Promise<Uint8Array | undefined> {
    const queued = this.#queue[this.#head];
    if (queued !== undefined) {
      this.#head++;
      this.#consume(queued.held);
      if (this.#head === this.#queue.length) {
        this.#queue.length = this.#head = 0;
        this.#release();
      }
      return Promise.resolve(queued.message);
    }
    if (this.#end !== undefined) {
      return this.#end.error === undefined ? Promise.resolve(undefined) : Promise.reject(this.#end.error);
    }
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  #release(): void {
    if (this.#incomplete === 0) return;
    this.#consume(this.#incomplete);
    this.#incomplete = 0;
  }

  #add(message: Uint8Array, octets: number): void {
    const held = octets + this.#incomplete;
    this.#incomplete = 0;
    if (this.#waiting === undefined) {
      this.#queue.push({ message, held });
      return;
    }
    this.#consume(held);
    this.#waiting.resolve(message);
    this.#waiting = undefined;
  }
}
