import { context } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { emptyContext } from "./linked-context.ts";
import type { Logger } from "./logger.ts";
import type { Counter, Metrics } from "./metrics.ts";
import { postOtlp } from "./otlp-post.ts";
import { writeAttributes, writeSpan } from "./otlp-span.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { EndedSpan, SpanSink } from "./recorded-span.ts";

export interface OtlpSpansOptions {
  /** The base URL of a collector, as OTEL_EXPORTER_OTLP_ENDPOINT: `http://collector:4318`. */
  readonly endpoint: string;
  readonly service: string;
  readonly version?: string | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Aborts what is still being sent. Losses after that are counted without a warning. */
  readonly signal: AbortSignal;
}

interface Batch {
  readonly spans: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

const most = 2_048;
const batchSize = 512;
/** The most bytes of a batch, a quarter of what a collector takes by default. */
const batchBytes = 4 * 1_024 * 1_024;
const delayMs = 1_000;
const quietMs = 60_000;

/**
 * Sends spans as OTLP over HTTP, in batches of up to 512, at least once a second. A span becomes
 * bytes when it ends, once, so that nothing of it outlives its call. At most 2,048 spans wait, and
 * at most 4 MiB of them in each batch. Spans that are lost are counted, with a warning at most once
 * a minute.
 */
export class OtlpSpans implements SpanSink {
  readonly #url: string;
  readonly #resource: Uint8Array;
  readonly #scope: Uint8Array;
  readonly #logger: Logger;
  readonly #counter: Counter<"outcome">;
  readonly #signal: AbortSignal;
  readonly #now: () => number;
  /** The batch that is being filled. */
  readonly #writer = new ProtobufWriter(batchBytes);
  #spans = 0;
  readonly #full: Batch[] = [];
  /** The number of spans in all batches but the one that is being sent. */
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(
    { endpoint, service, version, logger, metrics, signal }: OtlpSpansOptions,
    now: () => number = () => performance.now(),
  ) {
    const base = endpoint.replace(/\/+$/, "");
    this.#url = base.endsWith("/v1/traces") ? base : `${base}/v1/traces`;
    this.#resource = message(1, (to) => {
      writeAttributes(to, 1, ["service.name", service, ...(version === undefined ? [] : ["service.version", version])]);
    });
    this.#scope = message(1, (to) => to.text(1, "plumbline"));
    this.#logger = logger;
    this.#counter = metrics.counter("telemetry_exported_spans_total", "Spans handed to the exporter.", ["outcome"]);
    this.#signal = signal;
    this.#now = now;
  }

  add(span: EndedSpan): void {
    if (this.#waiting >= most) return this.#lose(1, new Error(`${most} spans wait for the collector already`));
    try {
      this.#write(span);
    } catch (error) {
      return this.#lose(1, error);
    }
    this.#spans++;
    this.#waiting++;
    if (this.#spans === batchSize) this.#send();
    else this.#timer ??= this.#sendLater();
  }

  /** Sends the waiting spans at once, and resolves once all are sent or lost. */
  async shutdown(): Promise<void> {
    this.#send();
    await this.#sending;
  }

  #write(span: EndedSpan): void {
    const before = this.#writer.length;
    try {
      writeSpan(this.#writer, span);
    } catch (error) {
      this.#writer.cut(before);
      if (before === 0) throw error;
      // The batch may have had no room for it. In a new one there is room, or nowhere.
      this.#send();
      this.#write(span);
    }
  }

  #sendLater(): NodeJS.Timeout {
    // Not in the context of the call whose span happens to be the first.
    return context.with(emptyContext, () => setTimeout(() => this.#send(), delayMs).unref());
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#spans > 0) this.#full.push({ spans: this.#spans, body: this.#body() });
    this.#writer.cut(0);
    this.#spans = 0;
    this.#sending ??= context.with(suppressTracing(emptyContext), () => this.#sendAll());
  }

  /** Returns an ExportTraceServiceRequest: the fields around the spans, and the spans. */
  #body(): Uint8Array<ArrayBuffer> {
    const { length } = this.#writer;
    const inner = new ProtobufWriter(batchBytes);
    inner.raw(this.#resource);
    inner.prefix(2, this.#scope.length + length);
    inner.raw(this.#scope);
    const head = new ProtobufWriter(batchBytes);
    head.prefix(1, inner.length + length);
    head.raw(inner.copy());
    return this.#writer.copy(head.copy());
  }

  async #sendAll(): Promise<void> {
    for (let batch = this.#full.shift(); batch !== undefined; batch = this.#full.shift()) {
      this.#waiting -= batch.spans;
      try {
        await postOtlp(this.#url, batch.body, this.#signal);
        this.#counter.inc({ outcome: "sent" }, batch.spans);
      } catch (error) {
        this.#lose(batch.spans, error);
      }
    }
    this.#sending = undefined;
  }

  #lose(spans: number, error: unknown): void {
    this.#counter.inc({ outcome: "lost" }, spans);
    if (this.#signal.aborted || this.#now() - this.#warnedAt < quietMs) return;
    this.#warnedAt = this.#now();
    this.#logger.warn("spans were lost: the collector did not accept them", { error, spans });
  }
}

function message(field: number, write: (to: ProtobufWriter) => void): Uint8Array {
  const to = new ProtobufWriter(batchBytes);
  const mark = to.open(field);
  write(to);
  to.close(mark);
  return to.copy();
}
