import { setImmediate as nextTurn } from "node:timers/promises";
import type { Deadlines, Expiring } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { HeaderField, Http2Stream, StreamError, StreamHandler } from "@plumbline/http2";
import { Metadata } from "../../metadata.ts";
import { type Status, statusOf } from "../../status.ts";
import type { IncomingCall, Requests, ServerMethod } from "../../transport.ts";
import { EventLoopYield } from "./event-loop-yield.ts";
import { appendMetadata, appendStatus, contentType, metadataOf, status200 } from "./fields.ts";
import { MessageQueue } from "./message-queue.ts";
import { MessageReader, prefixOf } from "./messages.ts";

/** The state that all calls of one connection share. */
export interface Acceptor {
  readonly methods: ReadonlyMap<string, ServerMethod>;
  readonly peer: string;
  readonly maxMessageBytes: number;
  /** Unary calls whose request is not complete. */
  readonly incomplete: Deadlines<Expiring>;
}

/** A request whose headers are complete and valid. */
export interface Request {
  readonly stream: Http2Stream;
  readonly fields: readonly HeaderField[];
  readonly deadline: number;
  readonly method: ServerMethod;
  readonly acceptor: Acceptor;
}

const plainHeaders: readonly HeaderField[] = [status200, contentType];

abstract class Incoming implements IncomingCall, StreamHandler {
  readonly metadata: Metadata;
  readonly peer: string;
  readonly deadline: number;
  protected readonly stream: Http2Stream;
  protected readonly method: ServerMethod;
  protected readonly maxMessageBytes: number;
  protected isOver = false;
  protected isGone = false;
  #hasHeaders = false;
  #onGone: (() => void) | undefined;

  constructor({ stream, fields, deadline, method, acceptor }: Request) {
    this.metadata = metadataOf(fields);
    this.peer = acceptor.peer;
    this.deadline = deadline;
    this.stream = stream;
    this.method = method;
    this.maxMessageBytes = acceptor.maxMessageBytes;
  }

  abstract readonly requests: Requests;
  abstract onData(bytes: Buffer, isLast: boolean): void;
  abstract send(message: Uint8Array): Promise<void>;

  onHeaders(): void {}

  onTrailers(): void {
    this.onData(empty, true); // gRPC requests have no trailers; any are ignored.
  }

  onReset(_error: StreamError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.isGone = true;
    this.#onGone?.();
  }

  onDrain(): void {}

  onCancel(callback: () => void): void {
    this.#onGone = callback;
    if (this.isGone) callback();
  }

  sendHeaders(headers: Metadata): void {
    if (this.isOver || this.#hasHeaders) return;
    this.#hasHeaders = true;
    const fields = [...plainHeaders];
    appendMetadata(fields, headers);
    this.stream.sendHeaders(fields, false);
  }

  /** Returns false if the message waits for capacity. */
  protected write(message: Uint8Array): boolean {
    if (this.isOver) throw new ServiceError("cancelled", "the call is over");
    if (message.length > this.maxMessageBytes) {
      const text = `a message of ${message.length} bytes, above the ${this.maxMessageBytes} allowed`;
      throw new ServiceError("resource_exhausted", text);
    }
    this.#sendPlainHeaders();
    return this.stream.sendData(message, false, prefixOf(message));
  }

  finish(status: Status, trailers: Metadata): void {
    if (this.isOver) return;
    this.isOver = true;
    // A failure without a response is one frame ("Trailers-Only"). A success always has headers.
    const fields: HeaderField[] = [];
    if (status.code === 0) this.#sendPlainHeaders();
    else if (!this.#hasHeaders) fields.push(...plainHeaders);
    appendStatus(fields, status);
    if (trailers.size > 0) appendMetadata(fields, trailers);
    this.stream.sendHeaders(fields, true);
  }

  #sendPlainHeaders(): void {
    if (this.#hasHeaders) return;
    this.#hasHeaders = true;
    this.stream.sendHeaders(plainHeaders, false);
  }
}

const empty = Buffer.alloc(0);
const noMetadata = new Metadata();

/** A unary call, handed on when its request is complete. */
export class UnaryIncoming extends Incoming implements Expiring {
  readonly #reader: MessageReader;
  readonly #incomplete: Deadlines<Expiring>;
  #request: Uint8Array | undefined;
  #count = 0;

  constructor(request: Request) {
    super(request);
    this.#reader = new MessageReader(this.maxMessageBytes, (message) => {
      this.#request = message;
      this.#count++;
    });
    // This watches the deadline until the call is handed on.
    this.#incomplete = request.acceptor.incomplete;
    this.#incomplete.add(this);
  }

  expire(): void {
    this.#refuse(new ServiceError("deadline_exceeded", "the request was not received within the deadline"));
  }

  get requests(): Requests {
    return [this.#request ?? empty];
  }

  override onData(bytes: Buffer, isLast: boolean): void {
    if (this.isOver) return;
    try {
      this.#reader.push(bytes);
      if (this.#count > 1 || (isLast && (this.#count === 0 || !this.#reader.isAtEnd))) {
        throw new ServiceError("unimplemented", "this method takes exactly one request");
      }
    } catch (error) {
      return this.#refuse(error);
    }
    if (isLast) {
      this.#incomplete.delete(this);
      this.method.accept(this);
    } else this.stream.consume(bytes.length); // The request is kept, up to the bound of a message.
  }

  override onReset(error: StreamError): void {
    this.#incomplete.delete(this);
    super.onReset(error);
  }

  override async send(message: Uint8Array): Promise<void> {
    this.write(message);
  }

  #refuse(error: unknown): void {
    this.#incomplete.delete(this);
    this.finish(statusOf(error), noMetadata);
  }
}

/** A streaming call, handed on at once. Its requests are read as they arrive. */
export class StreamIncoming extends Incoming {
  readonly #queue: MessageQueue;
  readonly requests: Requests;
  readonly #yield = new EventLoopYield();
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(request: Request) {
    super(request);
    this.#queue = new MessageQueue(this.maxMessageBytes, (octets) => this.stream.consume(octets));
    this.requests = received(this.#queue, () => {
      if (this.isGone) throw new ServiceError("cancelled", "the client is gone");
    });
    this.method.accept(this);
  }

  override onData(bytes: Buffer, isLast: boolean): void {
    try {
      this.#queue.push(bytes);
      if (!isLast) return;
      if (!this.#queue.isAtEnd) throw new ServiceError("internal", "the requests end inside a message");
      this.#queue.end();
    } catch (error) {
      this.#queue.end(error);
    }
  }

  override onReset(error: StreamError): void {
    this.#queue.end(new ServiceError("cancelled", "the client is gone", { cause: error }));
    super.onReset(error);
    this.#wake();
  }

  override onDrain(): void {
    this.#wake();
  }

  override async send(message: Uint8Array): Promise<void> {
    if (this.write(message)) return this.#yield.next();
    this.#drained = Promise.withResolvers();
    await this.#drained.promise;
    if (this.isOver) throw new ServiceError("cancelled", "the call is over");
  }

  override finish(status: Status, trailers: Metadata): void {
    super.finish(status, trailers);
    this.#queue.end(new ServiceError("cancelled", "the call is over"));
    this.#wake();
  }

  #wake(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}

/** Yields the messages as they arrive. `failIfGone` throws if the client has cancelled the call. */
async function* received(queue: MessageQueue, failIfGone: () => void): AsyncIterable<Uint8Array> {
  for (let message = await queue.next(); message !== undefined; message = await queue.next()) yield message;
  // Clients on node:http2 end their half of a cancelled call, and report the cancel in the next
  // frame.
  await nextTurn();
  failIfGone();
}
