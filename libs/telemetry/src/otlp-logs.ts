import { setTimeout as sleep } from "node:timers/promises";
import { type AnyValue, SeverityNumber, TraceFlags } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { Logger, LogLevel } from "./logger.ts";
import type { Counter } from "./metrics.ts";
import { postOtlp } from "./otlp-post.ts";
import type { Json } from "./printable.ts";

export interface OtlpLogsOptions {
  /** The base URL of a collector, `http://collector:4318`. */
  readonly endpoint: string;
  readonly service: string;
  readonly version?: string | undefined;
  /** Aborts what is still being sent. */
  readonly signal: AbortSignal;
}

interface Line {
  readonly level: LogLevel;
  /**
   * The written line, one JSON object. Parsed when it is sent, so that a lost line costs nothing.
   */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const most = 2_048;
const batchSize = 512;
const delayMs = 1_000;
const quietMs = 60_000;

const severities: Readonly<Record<LogLevel, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
};

/**
 * A second destination of log lines: OTLP over HTTP, in batches. At most 2,048 lines wait. Further
 * lines are lost here, but not on standard output. Lost lines are counted, with a warning at most
 * once a minute. The serializer is loaded with the first batch.
 */
export class OtlpLogs {
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #resource: ReturnType<typeof resourceFromAttributes>;
  readonly #waiting: Line[] = [];
  readonly #closing = new AbortController();
  #sending: Promise<void> | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #counter: Counter<"outcome"> | undefined;
  #logger: Logger | undefined;

  constructor({ endpoint, service, version, signal }: OtlpLogsOptions) {
    this.#signal = signal;
    this.#url = `${endpoint.replace(/\/+$/, "")}/v1/logs`;
    this.#resource = resourceFromAttributes({
      "service.name": service,
      ...(version !== undefined && { "service.version": version }),
    });
  }

  /** Sets the logger and counter of losses, which are created after this. */
  report(logger: Logger, counter: Counter<"outcome">): void {
    this.#logger = logger;
    this.#counter = counter;
  }

  add(level: LogLevel, text: string): void {
    if (this.#waiting.length >= most) {
      this.#counter?.inc({ outcome: "lost" });
      return;
    }
    this.#waiting.push({ level, text, at: Date.now() });
    this.#sending ??= this.#sendLater();
  }

  /** Sends the waiting lines at once. */
  async shutdown(): Promise<void> {
    this.#closing.abort();
    await this.#sending;
  }

  async #sendLater(): Promise<void> {
    // The pause must not keep the process alive: `shutdown` sends the waiting lines.
    await sleep(delayMs, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
    while (this.#waiting.length > 0) await this.#send(this.#waiting.splice(0, batchSize));
    this.#sending = undefined;
  }

  async #send(lines: readonly Line[]): Promise<void> {
    try {
      const { ProtobufLogsSerializer } = await import("@opentelemetry/otlp-transformer");
      const body = ProtobufLogsSerializer.serializeRequest(lines.map((line) => toOtlp(line, this.#resource)));
      await postOtlp(this.#url, new Uint8Array(body ?? []), this.#signal);
      this.#counter?.inc({ outcome: "sent" }, lines.length);
    } catch (error) {
      this.#counter?.inc({ outcome: "lost" }, lines.length);
      if (this.#signal.aborted || performance.now() - this.#warnedAt < quietMs) return;
      this.#warnedAt = performance.now();
      this.#logger?.warn("log lines were lost: the collector did not accept them", { error, lines: lines.length });
    }
  }
}

const scope = { name: "plumbline" };

/** Converts a line to OTLP. A line's own fields become fields of OTLP, not attributes. */
function toOtlp({ level, text, at }: Line, resource: ReturnType<typeof resourceFromAttributes>) {
  const {
    time: _,
    level: _level,
    service: _service,
    message,
    trace_id: traceId,
    span_id: spanId,
    ...attributes
  } = JSON.parse(text) as Readonly<Record<string, Json>>;
  const hrTime: [number, number] = [Math.floor(at / 1_000), (at % 1_000) * 1_000_000];
  return {
    hrTime,
    hrTimeObserved: hrTime,
    severityNumber: severities[level],
    severityText: level,
    body: message as AnyValue,
    attributes: attributes as Record<string, AnyValue>,
    droppedAttributesCount: 0,
    resource,
    instrumentationScope: scope,
    ...(typeof traceId === "string" &&
      typeof spanId === "string" && { spanContext: { traceId, spanId, traceFlags: TraceFlags.NONE } }),
  };
}
