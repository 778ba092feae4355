import { ServiceError } from "@plumbline/errors";
import type { HeaderField, Http2Stream, StreamError } from "@plumbline/http2";
import type { Metadata } from "../../metadata.ts";
import type { OutgoingCall } from "../../transport.ts";
import { UntilOver } from "../until-over.ts";
import { EventLoopYield } from "./event-loop-yield.ts";
import { MessageQueue } from "./message-queue.ts";
import { prefixOf } from "./messages.ts";
import { checkSize, type Dispatcher, Outgoing } from "./outgoing.ts";

/** The most octets of requests kept for another attempt. Past it the call cannot be sent again. */
const maxKeptBytes = 64 * 1024;

/** A call with messages both ways. Disposing cancels the rest. */
export class StreamOutgoing extends Outgoing implements Disposable {
  readonly #requests: AsyncIterable<Uint8Array>;
  readonly #queue: MessageQueue;
  readonly #over = new UntilOver();
  readonly #yield = new EventLoopYield();
  /** Requests that were sent, while they may have to be sent again. */
  #kept: Uint8Array[] | undefined = [];
  #keptBytes = 0;
  #isSending = false;
  #isHalfClosed = false;
  #attached = Promise.withResolvers<void>();
  #drained: PromiseWithResolvers<void> | undefined;
  #trailers: Metadata | undefined;

  constructor(dispatcher: Dispatcher, outgoing: OutgoingCall, requests: AsyncIterable<Uint8Array>) {
    super(dispatcher, outgoing);
    this.#requests = requests;
    this.#queue = new MessageQueue(dispatcher.maxMessageBytes, {
      consume: (octets, isKept) => this.stream?.consume(octets, isKept),
      release: (octets) => this.stream?.release(octets),
    });
  }

  protected override get isWithinMessage(): boolean {
    return !this.#queue.isAtEnd;
  }

  protected override expectGzip(): void {
    this.#queue.expectGzip();
  }

  protected override get isRepeatable(): boolean {
    return this.#kept !== undefined;
  }

  /**
   * Resolves with the next message, or with undefined after the last. Rejects with the call's error
   * once earlier messages are read.
   */
  async read(): Promise<Uint8Array | undefined> {
    try {
      const message = await this.#queue.next();
      if (message === undefined) this.#tell();
      return message;
    } catch (error) {
      this.#tell();
      throw error;
    }
  }

  #tell(): void {
    if (this.#trailers !== undefined) this.outgoing.onTrailers?.(this.#trailers);
    this.#trailers = undefined;
  }

  protected override sendRequests(stream: Http2Stream): void {
    const again = Buffer.concat((this.#kept ?? []).flatMap((message) => [prefixOf(message), message]));
    if (again.length > 0 || this.#isHalfClosed) this.#write(stream, again, this.#isHalfClosed);
    this.#attached.resolve();
    if (this.#isSending) return;
    this.#isSending = true;
    void this.#sendAll();
  }

  /**
   * Sends until the requests or the call end, and closes the requests in either case. Their failure
   * ends the call.
   */
  async #sendAll(): Promise<void> {
    const iterator = this.#requests[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#over.wait(iterator.next());
        if (next === undefined) break;
        if (next.done) return this.#halfClose();
        checkSize(next.value, this.dispatcher.maxMessageBytes);
        await this.#send(next.value);
      }
    } catch (error) {
      this.cancel(error);
    }
    // Not awaited: a generator that waits for something else cannot return before that.
    iterator.return?.().catch(() => {});
  }

  /** Resolves when there is capacity for the next message, or when the call is over. */
  async #send(message: Uint8Array): Promise<void> {
    // Between two attempts there is no stream. A message sent then is not among those that the next
    // attempt repeats.
    while (this.stream === undefined && !this.isOver) await this.#over.wait(this.#attached.promise);
    while (this.#drained !== undefined && !this.isOver) await this.#over.wait(this.#drained.promise);
    if (this.stream === undefined || this.isOver) return;
    this.#keep(message);
    this.#write(this.stream, message, false, prefixOf(message));
    if (this.#drained !== undefined) await this.#over.wait(this.#drained.promise);
    else await this.#yield.next();
  }

  #write(stream: Http2Stream, bytes: Uint8Array, isLast: boolean, prefix?: Uint8Array): void {
    if (!stream.sendData(bytes, isLast, prefix)) this.#drained = Promise.withResolvers();
  }

  #keep(message: Uint8Array): void {
    this.#keptBytes += message.length;
    if (this.#keptBytes > maxKeptBytes) this.#kept = undefined;
    else this.#kept?.push(message);
  }

  #halfClose(): void {
    this.#isHalfClosed = true;
    // No message waits here: each is awaited until it is sent.
    this.stream?.sendData(new Uint8Array(), true);
  }

  override onDrain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  override onHeaders(fields: readonly HeaderField[], isLast: boolean): void {
    this.#kept = undefined;
    super.onHeaders(fields, isLast);
  }

  override onData(bytes: Buffer, isLast: boolean): void {
    try {
      this.#queue.push(bytes);
    } catch (error) {
      return this.cancel(error);
    }
    if (isLast) this.cancel(new ServiceError("internal", "the server ended the call without a grpc-status"));
  }

  override onReset(reset: StreamError): void {
    this.#attached = Promise.withResolvers();
    this.onDrain();
    super.onReset(reset);
  }

  protected override settle(error: unknown, trailers: Metadata | undefined, isEarly: boolean): void {
    this.#trailers = trailers;
    this.#over.end();
    this.#queue.end(error);
    if (isEarly) this.#queue.clear();
  }

  [Symbol.dispose](): void {
    this.cancel(new ServiceError("cancelled", "the reader left"));
  }
}
