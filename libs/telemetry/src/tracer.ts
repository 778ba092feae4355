export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Headers as they came from outside: of HTTP, gRPC metadata, or a message. Names in lower case, as Node gives them. */
export type Carrier = Readonly<Record<string, string | readonly string[] | undefined>>;

export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

export interface SpanOptions {
  readonly kind?: SpanKind | undefined;
  /** A function is called only where they are kept. */
  readonly attributes?: Attributes | (() => Attributes) | undefined;
  /**
   * Headers of the remote parent. Given, they alone decide: without a valid `traceparent` a new trace begins, whatever
   * span is active. Left out, the active span is the parent.
   */
  readonly parent?: Carrier | undefined;
  /** Headers of other traces this work belongs to: the messages of a batch. The first 128 count. */
  readonly links?: readonly Carrier[] | undefined;
}

/** One piece of work within a trace. `Tracer.span` ends it. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  setAttribute(key: string, value: AttributeValue): void;
  addEvent(name: string, attributes?: Attributes): void;
  /** For a failure that does not throw, as an HTTP answer of 500. What the work throws is recorded without it. */
  fail(error: unknown): void;
}

/** A span that its maker ends. */
export interface OpenSpan extends Span {
  /** As `Tracer.inject`, of this span. */
  inject(carrier: Record<string, string>): void;
  end(): void;
}

export interface Tracer {
  /**
   * Runs `work` in a new span, active for everything it calls and awaits, and ends the span when `work` has returned,
   * thrown, or its promise has settled. What it throws is recorded and thrown on.
   */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => T): T;
  /**
   * Begins a span that is not active: what happens meanwhile belongs to the span around it. For a call to elsewhere, below
   * which nothing here has spans of its own; making a span active costs more than the rest of it.
   */
  start(name: string, options: SpanOptions): OpenSpan;
  /** Writes the active span as W3C `traceparent` (and `tracestate`) into `carrier`, sampled or not; nothing without one. */
  inject(carrier: Record<string, string>): void;
  /** The ids of the active span, for an answer or a row that should be found again. */
  current(): { readonly traceId: string; readonly spanId: string } | undefined;
}
