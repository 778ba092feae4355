import { MessageReader } from "./messages.ts";

interface Queued {
  readonly message: Uint8Array;
  readonly held: number;
}

/**
 * The messages of one direction of a stream, read one at a time. What it holds is bounded by the stream's window and one
 * message: octets go back to the window when their message is read. Those of a message that is not whole go back when
 * nothing else is unread: a message larger than the window could never be whole otherwise.
 */
export class MessageQueue {
  readonly #reader: MessageReader;
  readonly #consume: (octets: number) => void;
  readonly #queue: Queued[] = [];
  #head = 0;
  /** Octets of the message that is not whole. */
  #withheld = 0;
  #end: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  /** `consume` gives octets back to the peer's window. */
  constructor(maxMessageBytes: number, consume: (octets: number) => void) {
    this.#consume = consume;
    this.#reader = new MessageReader(maxMessageBytes, (message, held) => this.#add(message, held));
  }

  /** Whether the data so far ends between two messages. */
  get isAtEnd(): boolean {
    return this.#reader.isAtEnd;
  }

  /** Throws as `MessageReader.push`. */
  push(data: Buffer): void {
    this.#withheld += this.#reader.push(data);
    if (this.#queue.length === 0) this.#release();
  }

  /** No more will come. What came is read first; then readers get `undefined`, or the error. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (this.#waiting === undefined) return;
    if (error === undefined) this.#waiting.resolve(undefined);
    else this.#waiting.reject(error);
    this.#waiting = undefined;
  }

  /** Drops what was not read. */
  clear(): void {
    this.#queue.length = this.#head = 0;
  }

  /** The next message; undefined when there is none. One reader at a time. */
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
    if (this.#withheld === 0) return;
    this.#consume(this.#withheld);
    this.#withheld = 0;
  }

  #add(message: Uint8Array, octets: number): void {
    const held = octets + this.#withheld;
    this.#withheld = 0;
    if (this.#waiting === undefined) {
      this.#queue.push({ message, held });
      return;
    }
    this.#consume(held);
    this.#waiting.resolve(message);
    this.#waiting = undefined;
  }
}
