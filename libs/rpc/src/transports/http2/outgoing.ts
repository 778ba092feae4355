import { type Expiring, onAbort, steadyNow } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import {
  type Connection,
  ErrorCode,
  HeaderField,
  type Http2Stream,
  type StreamError,
  type StreamHandler,
} from "@plumbline/http2";
import { isAtDeadline } from "../../deadline.ts";
import { Metadata } from "../../metadata.ts";
import type { OutgoingCall } from "../../transport.ts";
import { formatTimeout } from "../timeout.ts";
import { appendMetadata, contentType, metadataOf, teTrailers } from "./fields.ts";
import { acceptEncoding } from "./gzip.ts";
import { codeOfReset, encodingOf, resultOf } from "./result.ts";

/** The client's part in a call. */
export interface Dispatcher {
  readonly scheme: HeaderField;
  readonly authority: HeaderField;
  readonly maxMessageBytes: number;
  /** Finds a connection and calls `attempt`, at once or later, or calls `fail`. */
  dispatch(call: Outgoing): void;
  ended(call: Outgoing): void;
}

/** The most attempts of a call that servers refuse unprocessed. */
const maxAttempts = 5;

const post = new HeaderField(":method", "POST");
const userAgent = new HeaderField("user-agent", "plumbline-http2", { repeats: true });

// The fields of known paths, so that each is checked once. The number is bounded, since callers
// choose paths.
const paths = new Map<string, HeaderField>();

function pathField(path: string): HeaderField {
  let field = paths.get(path);
  if (field === undefined) {
    field = new HeaderField(":path", path, { repeats: true });
    if (paths.size < 1_000) paths.set(path, field);
  }
  return field;
}

/** An outgoing call: its deadline, signal, attempts and outcome. */
export abstract class Outgoing implements StreamHandler, Expiring {
  headers = new Metadata();
  place: Expiring["place"];
  protected readonly outgoing: OutgoingCall;
  protected readonly dispatcher: Dispatcher;
  protected stream: Http2Stream | undefined;
  protected isOver = false;
  #attempts = 0;
  #link: Disposable | undefined;

  constructor(dispatcher: Dispatcher, outgoing: OutgoingCall) {
    this.dispatcher = dispatcher;
    this.outgoing = outgoing;
  }

  /** Starts the call. Throws if it cannot be sent. */
  begin(): void {
    const { signal, deadline } = this.outgoing;
    signal?.throwIfAborted();
    if (deadline <= steadyNow()) throw deadlineExceeded();
    if (signal !== undefined) this.#link = onAbort(signal, () => this.cancel(signal.reason));
  }

  get deadline(): number {
    return this.outgoing.deadline;
  }

  expire(): void {
    this.cancel(deadlineExceeded());
  }

  attempt(connection: Connection): void {
    this.#attempts++;
    const { path, deadline, metadata } = this.outgoing;
    const { scheme, authority } = this.dispatcher;
    const fields = [post, scheme, pathField(path), authority, contentType, teTrailers, acceptEncoding, userAgent];
    if (deadline !== Number.POSITIVE_INFINITY) {
      fields.push(new HeaderField("grpc-timeout", formatTimeout(deadline - steadyNow())));
    }
    if (metadata.size > 0) appendMetadata(fields, metadata);
    this.stream = connection.open(fields, false, this);
    this.sendRequests(this.stream);
  }

  /** Sends the requests, from the first message on. */
  protected abstract sendRequests(stream: Http2Stream): void;
  /** True if the data so far ends within a message. */
  protected abstract readonly isWithinMessage: boolean;
  /** Accepts compressed messages. */
  protected abstract expectGzip(): void;
  /** True if everything sent so far can be sent again. */
  protected abstract readonly isRepeatable: boolean;
  /**
   * Ends the call. `error` is undefined for success; `isEarly` drops messages that were not read.
   */
  protected abstract settle(error: unknown, trailers: Metadata | undefined, isEarly: boolean): void;
  abstract onData(bytes: Buffer, isLast: boolean): void;
  abstract onDrain(): void;

  onHeaders(fields: readonly HeaderField[], isLast: boolean): void {
    if (isLast) return this.#end(fields);
    const refusal = resultOf(fields, "headers");
    if (refusal !== undefined) return this.cancel(refusal);
    const encoding = encodingOf(fields);
    if (encoding === "gzip") this.expectGzip();
    else if (encoding !== "identity") return this.cancel(unknownEncoding(encoding));
    this.headers = metadataOf(fields);
    this.outgoing.onHeaders?.(this.headers);
  }

  onTrailers(fields: readonly HeaderField[]): void {
    this.#end(fields);
  }

  #end(fields: readonly HeaderField[]): void {
    const result = resultOf(fields, "trailers") ?? (this.isWithinMessage ? cutResponse() : undefined);
    this.#over(result, metadataOf(fields), false);
  }

  onReset(error: StreamError): void {
    this.stream = undefined;
    if (error.isUnprocessed && this.isRepeatable && this.#attempts < maxAttempts) return this.dispatcher.dispatch(this);
    this.#over(this.#reset(error), undefined, false);
  }

  #reset(error: StreamError): ServiceError {
    const code = codeOfReset(error);
    // At the deadline both sides give up, for the same cause, though the server's timer may fire a
    // little early.
    if (code === "cancelled" && isAtDeadline(this.outgoing.deadline)) return deadlineExceeded();
    return new ServiceError(code, error.message, { cause: error });
  }

  /** Ends the call from this side: for its caller, its deadline, or an invalid response. */
  cancel(reason: unknown): void {
    if (this.isOver) return;
    this.stream?.reset(ErrorCode.cancel);
    this.#over(reason, undefined, true);
  }

  /** Ends a call that found no connection. */
  fail(error: unknown): void {
    this.#over(error, undefined, true);
  }

  #over(error: unknown, trailers: Metadata | undefined, isEarly: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#link?.[Symbol.dispose]();
    this.dispatcher.ended(this);
    this.settle(error, trailers, isEarly);
  }
}

function deadlineExceeded(): ServiceError {
  return new ServiceError("deadline_exceeded", "deadline exceeded");
}

function unknownEncoding(encoding: string): ServiceError {
  return new ServiceError("internal", `grpc-encoding ${encoding} of the response is not supported`);
}

function cutResponse(): ServiceError {
  return new ServiceError("internal", "the response ends within a message");
}

/** Throws `resource_exhausted` for a message above the bound. */
export function checkSize(message: Uint8Array, maxBytes: number): void {
  if (message.length <= maxBytes) return;
  throw new ServiceError("resource_exhausted", `a message of ${message.length} bytes, above the ${maxBytes} allowed`);
}
