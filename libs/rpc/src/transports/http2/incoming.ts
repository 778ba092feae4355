import { setImmediate as nextTurn } from "node:timers/promises";
import { type Deadlines, type Expiring, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { ErrorCode, type HeaderField, type Http2Stream, StreamError, type StreamHandler } from "@plumbline/http2";
import type { SpiffeIdentity } from "../../identity/spiffe.ts";
import { Metadata } from "../../metadata.ts";
import { type Status, statusOf } from "../../status.ts";
import type { IncomingCall, Requests, ServerMethod } from "../../transport.ts";
import { EventLoopYield } from "./event-loop-yield.ts";
import { appendMetadata, appendStatus, contentType, metadataOf, status200 } from "./fields.ts";
import { inflate } from "./gzip.ts";
import { MessageQueue } from "./message-queue.ts";
import { MessageReader, prefixLength, prefixOf } from "./messages.ts";
import { watchUnsent } from "./unsent.ts";

/** The state that all calls of one connection share. */
export interface Acceptor {
  readonly methods: ReadonlyMap<string, ServerMethod>;
  readonly peer: string;
  readonly identity: SpiffeIdentity | undefined;
  readonly maxMessageBytes: number;
  /** The time that a unary call without a deadline has. */
  readonly defaultTimeoutMs: number;
  /** Unary calls whose request became complete in the read that is handled now. */
  readonly arrived: UnaryIncoming[];
  /** Unary calls whose request is not complete. */
  readonly incomplete: Deadlines<Expiring>;
  /** The longest time that the request of a unary call may take to arrive. */
  readonly receiveMs: number;
  /** The time in which a client must take a part of an answer that waits. */
  readonly stallMs: number;
}

/** A request whose headers are complete and valid. */
export interface Request {
  readonly stream: Http2Stream;
  readonly fields: readonly HeaderField[];
  readonly deadline: number;
  readonly method: ServerMethod;
  readonly acceptor: Acceptor;
  /** True if its messages may be compressed by gzip. */
  readonly isGzip: boolean;
}

const plainHeaders: readonly HeaderField[] = [status200, contentType];

abstract class Incoming implements IncomingCall, StreamHandler {
  readonly metadata: Metadata;
  readonly peer: string;
  readonly identity: SpiffeIdentity | undefined;
  deadline: number;
  protected readonly stream: Http2Stream;
  protected readonly method: ServerMethod;
  protected readonly maxMessageBytes: number;
  protected isOver = false;
  protected isGone = false;
  readonly #stallMs: number;
  #hasHeaders = false;
  #onGone: (() => void) | undefined;
  #watch: Disposable | undefined;

  constructor({ stream, fields, deadline, method, acceptor }: Request) {
    this.metadata = metadataOf(fields);
    this.peer = acceptor.peer;
    this.identity = acceptor.identity;
    this.deadline = deadline;
    this.stream = stream;
    this.method = method;
    this.#stallMs = acceptor.stallMs;
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
    this.#watch?.[Symbol.dispose]();
    if (this.isOver) return;
    this.isOver = true;
    this.isGone = true;
    this.#onGone?.();
  }

  onDrain(): void {
    this.#watch?.[Symbol.dispose]();
  }

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
    if (!this.stream.hasRoomFor(message.length + prefixLength)) {
      const why = "the server has no memory for another answer that waits for its client";
      throw new ServiceError("unavailable", why, { retryAfterMs: 100 });
    }
    this.#sendPlainHeaders();
    return this.stream.sendData(message, false, prefixOf(message));
  }

  /** Ends the call if the client takes nothing of the answer that waits. */
  protected watchUnsent(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = watchUnsent(this.stream, this.#stallMs, () => this.#stalled());
  }

  #stalled(): void {
    this.stream.reset(ErrorCode.enhanceYourCalm);
    this.onReset(new StreamError(ErrorCode.enhanceYourCalm, "the client does not read the answer", "local"));
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
    const { stream } = this;
    // The rest of an answer whose deadline has passed is not wanted.
    if (stream.unsent > 0 && ended.has(status.code)) {
      this.#watch?.[Symbol.dispose]();
      return stream.reset(ErrorCode.cancel);
    }
    stream.sendHeaders(fields, true);
    if (stream.unsent > 0) this.watchUnsent();
  }

  #sendPlainHeaders(): void {
    if (this.#hasHeaders) return;
    this.#hasHeaders = true;
    this.stream.sendHeaders(plainHeaders, false);
  }
}

/** The codes "cancelled" and "deadline_exceeded". */
const ended = new Set([1, 4]);
const empty = Buffer.alloc(0);
const noMetadata = new Metadata();
const endsWithin = "the request ends within a message";

/** A unary call, handed on when its request is complete. */
export class UnaryIncoming extends Incoming implements Expiring {
  place: Expiring["place"];
  readonly #reader: MessageReader;
  readonly #incomplete: Deadlines<Expiring>;
  readonly #arrived: UnaryIncoming[];
  /** That of the call. Until the request is complete an earlier one may count. */
  readonly #deadline: number;
  #sent: PromiseWithResolvers<void> | undefined;
  /** The request. `service` takes it out once it is decoded. */
  readonly requests: [Uint8Array] = [empty];
  #isCompressed = false;
  #count = 0;

  constructor(request: Request) {
    super(request);
    this.#reader = new MessageReader(this.maxMessageBytes, (message, _octets, isCompressed) => {
      this.requests[0] = message;
      this.#isCompressed = isCompressed;
      this.#count++;
    });
    this.#reader.hasEncoding = request.isGzip;
    // This watches the deadline until the call is handed on.
    const { incomplete, arrived, receiveMs } = request.acceptor;
    this.#arrived = arrived;
    this.#deadline = this.deadline;
    this.deadline = Math.min(this.deadline, steadyNow() + receiveMs);
    this.#incomplete = incomplete;
    incomplete.add(this);
  }

  expire(): void {
    this.#refuse(new ServiceError("deadline_exceeded", "the request was not received in time"));
  }

  override onData(bytes: Buffer, isLast: boolean): void {
    if (this.isOver) return;
    try {
      this.#reader.push(bytes);
      if (isLast && !this.#reader.isAtEnd) throw new ServiceError("internal", endsWithin);
      if (this.#count > 1 || (isLast && this.#count === 0)) {
        throw new ServiceError("unimplemented", "this method takes exactly one request");
      }
    } catch (error) {
      return this.#refuse(error);
    }
    if (!isLast) return this.stream.consume(bytes.length, true);
    if (this.#isCompressed) return void this.#inflate();
    this.#complete();
    this.#arrived.push(this);
  }

  async #inflate(): Promise<void> {
    try {
      this.requests[0] = await inflate(this.requests[0], this.maxMessageBytes, this.peer);
    } catch (error) {
      return this.#refuse(error);
    }
    if (this.isOver) return;
    this.#complete();
    this.start();
  }

  /** From now on the deadline is that of the call. */
  #complete(): void {
    this.#incomplete.delete(this);
    this.deadline = this.#deadline;
  }

  /** Hands the call on, unless it was reset in the read that completed it. */
  start(): void {
    if (!this.isOver) this.method.accept(this);
  }

  override onReset(error: StreamError): void {
    this.#incomplete.delete(this);
    super.onReset(error);
    this.#sent?.resolve();
  }

  override async send(message: Uint8Array): Promise<void> {
    if (this.write(message)) return;
    this.#sent = Promise.withResolvers();
    this.watchUnsent();
  }

  sent(): Promise<void> | undefined {
    return this.#sent?.promise;
  }

  override onDrain(): void {
    super.onDrain();
    this.#sent?.resolve();
    this.#sent = undefined;
  }

  override finish(status: Status, trailers: Metadata): void {
    super.finish(status, trailers);
    this.#sent?.resolve();
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
    this.#queue = new MessageQueue(this.maxMessageBytes, this.stream, this.peer);
    if (request.isGzip) this.#queue.expectGzip();
    this.requests = received(this.#queue, () => {
      if (this.isGone) throw new ServiceError("cancelled", "the client is gone");
    });
    this.method.accept(this);
  }

  override onData(bytes: Buffer, isLast: boolean): void {
    try {
      this.#queue.push(bytes);
      if (!isLast) return;
      if (!this.#queue.isAtEnd) throw new ServiceError("internal", endsWithin);
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
    super.onDrain();
    this.#wake();
  }

  override async send(message: Uint8Array): Promise<void> {
    if (this.write(message)) return this.#yield.next();
    this.#drained = Promise.withResolvers();
    this.watchUnsent();
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
