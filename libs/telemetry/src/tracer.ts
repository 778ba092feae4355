export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/**
 * The received headers of an HTTP request, gRPC call or message. Names are in lower case, as in
 * Node.
 */
export type Carrier = Readonly<Record<string, string | readonly string[] | undefined>>;

export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

export interface SpanOptions {
  readonly kind?: SpanKind | undefined;
  /** The attributes, or a function that is called only if the span is recorded. */
  readonly attributes?: Attributes | (() => Attributes) | undefined;
  /**
   * The headers of the remote parent. Without a valid `traceparent` in them a new trace starts,
   * whatever span is active. If this is left out, the active span is the parent.
   */
  readonly parent?: Carrier | undefined;
  /**
   * The headers of a caller that is not believed, such as a client on the internet. A new trace
   * starts, whatever span is active, and `sampleRatio` alone decides if it is recorded. The span
   * links to the caller's, without the caller's `tracestate`. Ignored if there is a `parent`.
   */
  readonly stranger?: Carrier | undefined;
  /**
   * The headers of other traces of this work, such as the messages of a batch. The first 128 count.
   */
  readonly links?: readonly Carrier[] | undefined;
}

/** A unit of work within a trace, ended by `Tracer.span`. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  setAttribute(key: string, value: AttributeValue): void;
  addEvent(name: string, attributes?: Attributes): void;
  /**
   * Records a failure that is not thrown, such as an HTTP answer of 500. Thrown errors are recorded
   * without it.
   */
  fail(error: unknown): void;
}

/** A span that its creator ends. */
export interface OpenSpan extends Span {
  /** Returns this span for another process, as `Tracer.carrier` does. */
  carrier(): Record<string, string>;
  end(): void;
}

export interface Tracer {
  /**
   * Runs `work` in a new span, which is active for all that it calls and awaits. Ends the span when
   * `work` has returned, thrown, or its promise has settled. A thrown error is recorded and
   * rethrown.
   */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => T): T;
  /**
   * Starts a span that is not active, so spans in the meantime belong to the span around it. For a
   * remote call without spans below it in this process: activating a span costs more than the rest
   * of it.
   */
  start(name: string, options: SpanOptions): OpenSpan;
  /**
   * Returns the active span for another process, in a record of its own: W3C `traceparent`, and
   * `tracestate` if there is one. Empty without a span.
   */
  carrier(): Record<string, string>;
  /** Adds an event to the active span, if there is one that is recorded. */
  addEvent(name: string, attributes?: Attributes): void;
  /** Returns the ids of the active span, to store them in an answer or a row. */
  current(): { readonly traceId: string; readonly spanId: string } | undefined;
}
