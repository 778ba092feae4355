import { type Expiring, onAbort } from "@plumbline/concurrency";
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
import { appendMetadata, contentType, metadataOf, teTrailers } from "./fields.ts";
import { codeOfReset, resultOf } from "./result.ts";
import { formatTimeout } from "./timeout.ts";

/** What a call asks of its client. */
export interface Dispatcher {
  readonly scheme: HeaderField;
  readonly authority: HeaderField;
  readonly maxMessageBytes: number;
  /** Finds a connection and calls `attempt`, at once or later; or `fail` where there is none. */
  dispatch(call: Outgoing): void;
  ended(call: Outgoing): void;
}

/** How often a call is sent again that its server says it has not touched. */
const maxAttempts = 5;

const post = new HeaderField(":method", "POST");
const userAgent = new HeaderField("user-agent", "plumbline-http2", { repeats: true });

// A path's field is checked once. There are as many as there are methods; a caller's own paths are not kept without end.
const paths = new Map<string, HeaderField>();

function pathField(path: string): HeaderField {
  let field = paths.get(path);
  if (field === undefined) {
    field = new HeaderField(":path", path, { repeats: true });
    if (paths.size < 1_000) paths.set(path, field);
  }
  return field;
}

/** One call going out: its deadline, its signal, its attempts, and how it ends. */
export abstract class Outgoing implements StreamHandler, Expiring {
  headers = new Metadata();
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

  /** Throws what keeps the call from being sent. */
  begin(): void {
    const { signal, deadline } = this.outgoing;
    signal?.throwIfAborted();
    if (deadline <= Date.now()) throw deadlineExceeded();
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
    const fields = [post, scheme, pathField(path), authority, contentType, teTrailers, userAgent];
    if (deadline !== Number.POSITIVE_INFINITY) {
      fields.push(new HeaderField("grpc-timeout", formatTimeout(deadline - Date.now())));
    }
    if (metadata.size > 0) appendMetadata(fields, metadata);
    this.stream = connection.open(fields, false, this);
    this.sendRequests(this.stream);
  }

  /** Sends what there is to send, from the first message on. */
  protected abstract sendRequests(stream: Http2Stream): void;
  /** Whether all that was sent can be sent again. */
  protected abstract readonly isRepeatable: boolean;
  /** `error` is undefined for success. `isEarly`: what came before is not wanted any more. */
  protected abstract settle(error: unknown, trailers: Metadata | undefined, isEarly: boolean): void;
  abstract onData(bytes: Buffer, isLast: boolean): void;
  abstract onDrain(): void;

  onHeaders(fields: readonly HeaderField[], isLast: boolean): void {
    if (isLast) return this.#end(fields);
    const refusal = resultOf(fields, "headers");
    if (refusal !== undefined) return this.cancel(refusal);
    this.headers = metadataOf(fields);
    this.outgoing.onHeaders?.(this.headers);
  }

  onTrailers(fields: readonly HeaderField[]): void {
    this.#end(fields);
  }

  #end(fields: readonly HeaderField[]): void {
    this.#over(resultOf(fields, "trailers"), metadataOf(fields), false);
  }

  onReset(error: StreamError): void {
    this.stream = undefined;
    if (error.isUnprocessed && this.isRepeatable && this.#attempts < maxAttempts) return this.dispatcher.dispatch(this);
    this.#over(this.#reset(error), undefined, false);
  }

  #reset(error: StreamError): ServiceError {
    const code = codeOfReset(error);
    // At the deadline both sides give up: it is the same event, though the server's timer may be a little early.
    if (code === "cancelled" && isAtDeadline(this.outgoing.deadline)) return deadlineExceeded();
    return new ServiceError(code, error.message, { cause: error });
  }

  /** Ends the call from this side: by its caller, its deadline, or an answer that cannot be used. */
  cancel(reason: unknown): void {
    if (this.isOver) return;
    this.stream?.reset(ErrorCode.cancel);
    this.#over(reason, undefined, true);
  }

  /** There is no connection for it. */
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

/** Throws `resource_exhausted` for a message that may not be sent. */
export function checkSize(message: Uint8Array, maxBytes: number): void {
  if (message.length <= maxBytes) return;
  throw new ServiceError("resource_exhausted", `a message of ${message.length} bytes, above the ${maxBytes} allowed`);
}
